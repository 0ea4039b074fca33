import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { FlowsRepository } from './flows.repository.ts';
import { PollDeviceFlows } from './poll-device-flows.ts';

const POLL_MS = 1_000;
const HOUR_MS = 60 * 60 * 1000;

/** Goes on with authorisations that no browser comes back for, and forgets those that nobody finished. */
@Injectable()
export class FlowSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(FlowSweep.name);
  private readonly works: RepeatedWork[];

  constructor(sweep: SweepTransaction, flows: FlowsRepository, polling: PollDeviceFlows) {
    const onFailure = (error: unknown): void => {
      this.logger.warn({ message: 'Going on with authorisations failed; trying again.', error });
    };
    const forgetOld = (): Promise<void> => sweep.run((manager) => flows.forgetOld(manager));
    this.works = [
      new RepeatedWork({ everyMs: POLL_MS, act: () => polling.execute(), onFailure }),
      new RepeatedWork({ everyMs: HOUR_MS, act: forgetOld, onFailure }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const work of this.works) work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.works.map((work) => work.stop()));
  }
}
