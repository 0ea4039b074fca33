import { Injectable } from '@nestjs/common';
import { TenantTransaction } from '@soma/persistence';
import { afterPoll, DEFAULT_POLL_SECONDS } from './device-polling.ts';
import { type FlowRow, FlowsRepository } from './flows.repository.ts';
import { PollDevice } from './poll-device.ts';

/** Asks a provider whether somebody has entered the code that was shown (RFC 8628 §3.4). */
@Injectable()
export class PollDeviceFlow {
  constructor(
    private readonly transaction: TenantTransaction,
    private readonly flows: FlowsRepository,
    private readonly polling: PollDevice,
  ) {}

  /** Asks once, and stores when to ask again. */
  async execute(flow: FlowRow): Promise<void> {
    const answer = await this.polling.execute(flow);
    if (answer === 'granted') {
      return;
    }
    const { poll_seconds: pollSeconds, expires_at: expiresAt } = flow;
    const state = { pollSeconds: pollSeconds ?? DEFAULT_POLL_SECONDS, expiresAt };
    const next = afterPoll(state, answer, new Date());
    await this.transaction.run(flow.tenant_id, (manager) =>
      this.flows.postpone(manager, flow.flow_id, next),
    );
  }
}
