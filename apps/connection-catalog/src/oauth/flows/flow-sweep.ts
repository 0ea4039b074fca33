import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { RepeatedWork } from '@soma/kernel';
import { SweepTransaction } from '@soma/persistence';
import { ClaimedWork } from '../../runtime/claimed-work.ts';
import { FlowsRepository } from './flows.repository.ts';
import { PollDeviceFlow } from './poll-device-flow.ts';

const HOUR_MS = 60 * 60 * 1000;
/** How many codes a pod asks for at once. */
const PLACES = 64;

/** Goes on with authorisations that no browser comes back for, and forgets those that nobody finished. */
@Injectable()
export class FlowSweep implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger(FlowSweep.name);
  private readonly works: Pick<RepeatedWork, 'start' | 'stop'>[];

  constructor(sweep: SweepTransaction, flows: FlowsRepository, polling: PollDeviceFlow) {
    this.works = [
      new ClaimedWork({
        items: 'codes of devices',
        places: PLACES,
        claim: (room) => sweep.run((manager) => flows.claimDue(manager, room)),
        run: (flow) => polling.execute(flow),
      }),
      new RepeatedWork({
        everyMs: HOUR_MS,
        act: () => sweep.run((manager) => flows.forgetOld(manager)),
        onFailure: (error) => {
          this.logger.warn({ message: 'Forgetting old authorisations failed.', error });
        },
      }),
    ];
  }

  onApplicationBootstrap(): void {
    for (const work of this.works) work.start();
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.works.map((work) => work.stop()));
  }
}
