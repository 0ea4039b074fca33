import { Injectable } from '@nestjs/common';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import { afterPoll, DEFAULT_POLL_SECONDS } from './device-polling.ts';
import { type FlowRow, FlowsRepository } from './flows.repository.ts';
import { PollDevice } from './poll-device.ts';

/** How many codes are taken at once. */
const MAX_TAKEN = 64;

/** Asks providers whether somebody has entered the codes that were shown (RFC 8628 §3.4). */
@Injectable()
export class PollDeviceFlows {
  constructor(
    private readonly sweep: SweepTransaction,
    private readonly transaction: TenantTransaction,
    private readonly flows: FlowsRepository,
    private readonly polling: PollDevice,
  ) {}

  /** Takes what may be asked for now, and asks for each once. */
  async execute(): Promise<void> {
    const taken = await this.sweep.run((manager) => this.flows.claimDue(manager, MAX_TAKEN));
    await Promise.all(taken.map((flow) => this.poll(flow)));
  }

  private async poll(flow: FlowRow): Promise<void> {
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
