import { Injectable, Logger } from '@nestjs/common';
import type { AuditOrigin } from '@soma/auth';
import { SweepTransaction } from '@soma/persistence';
import { Envelope } from '@soma/secrets';
import { AuditReports } from '../audit/audit-reports.ts';
import { openAttempt, StateError, type SignInAttempt } from './oauth-states.ts';
import {
  type ExternalIdentity,
  type IdentityProvider,
  type ProviderName,
  ProviderRefusal,
  type RefusalReason,
} from './providers/identity-provider.ts';
import { IdentityProviders } from './providers/identity-providers.ts';
import { isProviderFault } from './providers/provider-requests.ts';
import { RecognisePerson, type Recognition } from './recognise-person.ts';
import { signInAttempts, stateFaults } from './sign-in-metrics.ts';
import { SignInsRepository } from './sign-ins.repository.ts';

/** What came back with a browser. */
export interface ProviderReturn {
  provider: IdentityProvider;
  /** The value of the state cookie. */
  sealed: string | undefined;
  parameters: URLSearchParams;
}

/** What came of it, and for which sign-in. A metric's label, and what the next page says. */
export interface ProviderOutcome {
  interaction: string;
  outcome: Recognition | RefusalReason | 'cancelled' | 'provider_failed' | 'provider_unavailable';
}

/** Takes a browser that comes back from a provider, and finds out whose it is. */
@Injectable()
export class CompleteProviderSignIn {
  private readonly logger = new Logger(CompleteProviderSignIn.name);

  constructor(
    private readonly providers: IdentityProviders,
    private readonly envelope: Envelope,
    private readonly sweep: SweepTransaction,
    private readonly signIns: SignInsRepository,
    private readonly recognise: RecognisePerson,
    private readonly reports: AuditReports,
  ) {}

  /** @throws {@link StateError} for what this browser did not ask for */
  async execute(returned: ProviderReturn, origin: AuditOrigin): Promise<ProviderOutcome> {
    const { name } = returned.provider;
    try {
      const attempt = await this.takeAttempt(returned);
      const outcome = await this.outcomeOf(returned, attempt, origin);
      this.note(name, outcome, origin);
      return { interaction: attempt.interaction, outcome };
    } catch (error) {
      if (error instanceof StateError) {
        stateFaults.inc({ provider: name, fault: error.fault });
        this.note(name, 'state_refused', origin);
      }
      throw error;
    }
  }

  /** Who is refused is nobody yet, and of no tenant: the operator is told. */
  private note(
    provider: ProviderName,
    outcome: ProviderOutcome['outcome'] | 'state_refused',
    origin: AuditOrigin,
  ): void {
    signInAttempts.inc({ provider, outcome });
    if (outcome !== 'signed_in' && outcome !== 'link_waiting') {
      this.reports.record({
        ...origin,
        tenant_id: this.reports.operatorTenant,
        action: 'sign_in.refused',
        target: { type: 'provider', id: provider },
        outcome: 'failure',
        details: { reason: outcome },
      });
    }
  }

  /** The attempt behind the answer, which is used up by it. */
  private async takeAttempt(returned: ProviderReturn): Promise<SignInAttempt> {
    const { provider, sealed, parameters } = returned;
    const state = parameters.get('state') ?? undefined;
    const answer = { provider: provider.name, sealed, state };
    const attempt = openAttempt(this.envelope, answer, Date.now());
    const isFirst = await this.sweep.run((manager) =>
      this.signIns.useState(manager, attempt.state, attempt.expiresAt),
    );
    if (!isFirst) {
      throw new StateError('reused');
    }
    return attempt;
  }

  private async outcomeOf(
    { provider, parameters }: ProviderReturn,
    attempt: SignInAttempt,
    origin: AuditOrigin,
  ): Promise<ProviderOutcome['outcome']> {
    const code = parameters.get('code');
    if (parameters.has('error') || code === null) {
      return this.faultOf(provider, parameters.get('error'));
    }
    try {
      const displayName = nameOf(parameters.get('user'));
      const account = await this.providers.identify(provider, { ...attempt, code, displayName });
      return await this.recognise.execute(account, attempt.interaction, origin);
    } catch (error) {
      return this.refusalFor(provider, error);
    }
  }

  /** RFC 6749 §4.1.2.1. Apple says `user_cancelled_authorize`. */
  private faultOf(provider: IdentityProvider, error: string | null): ProviderOutcome['outcome'] {
    if (error === 'access_denied' || error === 'user_cancelled_authorize') {
      return 'cancelled';
    }
    // Anybody can write the address, so it is cut.
    const said = error?.slice(0, 100) ?? 'no code';
    this.logger.warn({ message: 'A provider failed.', provider: provider.name, error: said });
    return error === 'temporarily_unavailable' || error === 'server_error'
      ? 'provider_unavailable'
      : 'provider_failed';
  }

  private refusalFor(provider: IdentityProvider, error: unknown): ProviderOutcome['outcome'] {
    const isRefusal = error instanceof ProviderRefusal;
    if (!isRefusal && !isProviderFault(error)) {
      throw error;
    }
    const message = 'What a provider answered does not sign anybody in.';
    this.logger.warn({ message, provider: provider.name, error });
    return isRefusal ? error.reason : 'provider_unavailable';
  }
}

/** Apple tells a name once, beside the code and unsigned: good to greet with, and for no more. */
function nameOf(user: string | null): ExternalIdentity['display_name'] | undefined {
  try {
    const { name } = JSON.parse(user ?? '{}') as {
      name?: { firstName?: unknown; lastName?: unknown };
    };
    const parts = [name?.firstName, name?.lastName].filter((part) => typeof part === 'string');
    return parts.join(' ').trim().slice(0, 200) || undefined;
  } catch {
    return undefined;
  }
}
