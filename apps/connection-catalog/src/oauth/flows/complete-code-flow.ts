import { Injectable, Logger } from '@nestjs/common';
import { SweepTransaction, TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { type OAuthConnection, OAuthConnections } from '../connections/oauth-connections.ts';
import { codeVerifierOf, fingerprintOf } from '../protocol/pkce.ts';
import { type CodeFlowOutcome, ExchangeCode } from './exchange-code.ts';
import { type FlowRow, FlowsRepository } from './flows.repository.ts';

/** What a browser brings back. */
export interface BroughtBack {
  parameters: URLSearchParams;
  /** What its cookies hold: there is one for each authorisation that it has started. */
  browserKeys: readonly string[];
}

/** Finishes an authorisation that comes back from a provider: once, in the browser that started it. */
@Injectable()
export class CompleteCodeFlow {
  private readonly logger = new Logger(CompleteCodeFlow.name);

  constructor(
    private readonly sweep: SweepTransaction,
    private readonly transaction: TenantTransaction,
    private readonly flows: FlowsRepository,
    private readonly connections: OAuthConnections,
    private readonly exchange: ExchangeCode,
  ) {}

  async execute({ parameters, browserKeys }: BroughtBack): Promise<CodeFlowOutcome> {
    const states = parameters.getAll('state');
    const [state] = states;
    const taken =
      state === undefined || states.length > 1 ? undefined : await this.take(state, browserKeys);
    if (state === undefined || taken === undefined) {
      return { kind: 'unknown' };
    }
    const { flow, connection, browserKey } = taken;
    const outcome = await this.exchange.execute({
      ...{ flow, connection, parameters, state },
      codeVerifier: codeVerifierOf(browserKey, state),
    });
    if (outcome.kind !== 'authorized') {
      const reason = 'error' in outcome ? outcome.error : outcome.kind;
      this.logger.warn({ message: 'An authorisation came to nothing.', reason });
      await this.transaction.run(flow.tenant_id, (manager) =>
        this.flows.end(manager, flow.flow_id, reason),
      );
    }
    return outcome;
  }

  private async take(
    state: string,
    browserKeys: readonly string[],
  ): Promise<{ flow: FlowRow; connection: OAuthConnection; browserKey: string } | undefined> {
    const stateHash = fingerprintOf(state);
    const tenantId = await this.sweep.run((manager) => this.flows.findTenant(manager, stateHash));
    if (tenantId === undefined) {
      return undefined;
    }
    return this.transaction.run(tenantId, async (manager) => {
      for (const browserKey of browserKeys) {
        const browserHash = fingerprintOf(browserKey);
        const flow = await this.flows.take(manager, { stateHash, browserHash });
        const connection = flow && (await this.connectionOf(manager, flow));
        if (flow && connection) return { flow, connection, browserKey };
      }
      return undefined;
    });
  }

  private async connectionOf(
    manager: EntityManager,
    { connection_id }: FlowRow,
  ): Promise<OAuthConnection | undefined> {
    const found = await this.connections.read(manager, [connection_id]);
    return found.get(connection_id);
  }
}
