import {
  ClientWriteRequestOnDuplicateWrites,
  ClientWriteRequestOnMissingDeletes,
  ConsistencyPreference,
  CredentialsMethod,
  OpenFgaClient,
} from '@openfga/sdk';
import type { AccessResource, Principal, TenantRelation } from '@soma/contracts';
import { Problem, type Secret, withinLimit } from '@soma/kernel';
import DataLoader from 'dataloader';
import type { ObjectRelation } from './access-rule.ts';
import { DecisionCache } from './decision-cache.ts';
import {
  objectName,
  personName,
  type RelationshipTuple,
  serviceName,
  tenantName,
} from './relationship-names.ts';

const TIMEOUT_MS = 1_000;
/** How many questions OpenFGA takes at once, unless it is told otherwise. */
const MAX_BATCH = 50;
/** How long after a change those whom it concerns are told what is true now, whatever it costs. */
const RECENT_MS = 10_000;

/** Where relationships are kept. */
export interface RelationshipsOptions {
  url: string;
  token: Secret | undefined;
  /** The name of the store. */
  store: string;
}

/** Whether somebody is something to their tenant, or to a thing in it. */
export type RelationQuestion = { principal: Principal } & (
  | { relation: TenantRelation; object: null }
  | { relation: ObjectRelation; object: { type: AccessResource; id: string; owner: string } }
);

/** What OpenFGA is asked. */
interface Check extends RelationshipTuple {
  contextualTuples: RelationshipTuple[];
}

/**
 * Asks OpenFGA who is what to whom.
 *
 * What a row knows, whose a thing is and in which tenant, goes along with the question; what is
 * stored are the roles of people, and what was shared.
 */
export class Relationships {
  private readonly answers = new DecisionCache<boolean>();
  private readonly recent = new Map<string, number>();
  private readonly quickly = this.batchesWith(ConsistencyPreference.MinimizeLatency);
  private readonly newest = this.batchesWith(ConsistencyPreference.HigherConsistency);
  private connection: Promise<OpenFgaClient> | undefined;

  constructor(private readonly options: RelationshipsOptions) {}

  /**
   * What is asked in the same moment, for lists and open streams, goes out together.
   *
   * @throws {@link Problem} 502 `relationships_unavailable`
   */
  check(question: RelationQuestion): Promise<boolean> {
    return this.isRecent(question.principal)
      ? this.newest.load(toCheck(question))
      : this.answers.get(keyOf(question), () => this.quickly.load(toCheck(question)));
  }

  /**
   * Writes and deletes tuples in one step. What is there already, or already gone, is no failure.
   *
   * @throws {@link Problem} 502 `relationships_unavailable`
   */
  async write(change: {
    writes?: RelationshipTuple[];
    deletes?: RelationshipTuple[];
  }): Promise<void> {
    await this.ask((client) => client.write(change, { conflict: IGNORE_REPEATS }));
  }

  /** From now on and for a while, the answers to a principal, or to a whole tenant, are the newest. */
  noteChange({ tenant_id, subject }: { tenant_id: string; subject?: string }): void {
    const now = performance.now();
    const key = recentKey(tenant_id, subject);
    // Last in the order of a map, so that the first are the oldest.
    this.recent.delete(key);
    this.recent.set(key, now + RECENT_MS);
    for (const [name, until] of this.recent) {
      if (until > now) break;
      this.recent.delete(name);
    }
  }

  /** Fails when OpenFGA does not answer, or has no store or model of ours. */
  async probe(): Promise<void> {
    await this.ask((client) => client.readLatestAuthorizationModel());
  }

  private isRecent({ tenant_id, subject }: Principal): boolean {
    if (this.recent.size === 0) {
      return false;
    }
    const now = performance.now();
    return [recentKey(tenant_id), recentKey(tenant_id, subject)].some(
      (key) => now < (this.recent.get(key) ?? 0),
    );
  }

  private batchesWith(consistency: ConsistencyPreference): DataLoader<Check, boolean> {
    return new DataLoader((checks) => this.askTogether(checks, consistency), {
      // What is remembered, and for how long, is decided above.
      cache: false,
      maxBatchSize: MAX_BATCH,
      batchScheduleFn: (send) => setImmediate(send),
    });
  }

  private async askTogether(
    checks: readonly Check[],
    consistency: ConsistencyPreference,
  ): Promise<(boolean | Error)[]> {
    const [first] = checks;
    if (checks.length === 1 && first !== undefined) {
      const { allowed } = await this.ask((client) => client.check(first, { consistency }));
      return [allowed === true];
    }
    const batch = checks.map(({ contextualTuples, ...tuple }, index) => ({
      ...tuple,
      correlationId: String(index),
      contextualTuples: { tuple_keys: contextualTuples },
    }));
    const { result } = await this.ask((client) =>
      client.batchCheck({ checks: batch }, { consistency, maxBatchSize: MAX_BATCH }),
    );
    const answers = new Map(result.map((each) => [each.correlationId, each]));
    return batch.map(({ correlationId }) => {
      const answer = answers.get(correlationId);
      return answer === undefined || answer.error !== undefined
        ? relationshipsUnavailable(answer?.error)
        : answer.allowed;
    });
  }

  private async ask<Answer>(question: (client: OpenFgaClient) => Promise<Answer>): Promise<Answer> {
    try {
      // The client's own limit does not cover everything, such as a name that is not resolved.
      return await withinLimit(TIMEOUT_MS, () => this.connect().then(question));
    } catch (cause) {
      throw relationshipsUnavailable(cause);
    }
  }

  /** Looks the store up once. The model is the newest at that time: what comes later may be new to us. */
  private connect(): Promise<OpenFgaClient> {
    this.connection ??= this.open().catch((error: unknown) => {
      this.connection = undefined;
      throw error;
    });
    return this.connection;
  }

  private async open(): Promise<OpenFgaClient> {
    const { url, token, store } = this.options;
    const settings = {
      apiUrl: url.replace(/\/$/, ''),
      ...(token && {
        credentials: {
          method: CredentialsMethod.ApiToken as const,
          config: { token: token.reveal() },
        },
      }),
      // Whoever waits for the answer waits no longer than for one try.
      retryParams: { maxRetry: 0 },
      // Later than we give up, so that what came while this process was busy is still read.
      baseOptions: { timeout: 2 * TIMEOUT_MS },
    };
    const { stores } = await new OpenFgaClient(settings).listStores({ name: store });
    const storeId = stores[0]?.id;
    if (storeId === undefined) {
      throw new Error(`OpenFGA has no store "${store}": the migration job makes it.`);
    }
    const inStore = new OpenFgaClient({ ...settings, storeId });
    const { authorization_model: model } = await inStore.readLatestAuthorizationModel();
    if (model === undefined) {
      throw new Error(`The store "${store}" has no model: the migration job writes it.`);
    }
    return new OpenFgaClient({ ...settings, storeId, authorizationModelId: model.id });
  }
}

const IGNORE_REPEATS = {
  onDuplicateWrites: ClientWriteRequestOnDuplicateWrites.Ignore,
  onMissingDeletes: ClientWriteRequestOnMissingDeletes.Ignore,
};

function toCheck({ principal, relation, object }: RelationQuestion): Check {
  const { tenant_id, subject, role } = principal;
  const tenant = tenantName(tenant_id);
  const user = role === undefined ? serviceName(subject) : personName(subject);
  // That a service is of the tenant its credential says, and nothing else is stored of it.
  const own = role === undefined ? [{ user, relation: 'service', object: tenant }] : [];
  if (object === null) {
    return { user, relation, object: tenant, contextualTuples: own };
  }
  const name = objectName(object.type, tenant_id, object.id);
  const contextualTuples = [
    ...own,
    { user: tenant, relation: 'tenant', object: name },
    { user: personName(object.owner), relation: 'owner', object: name },
  ];
  return { user, relation, object: name, contextualTuples };
}

/** All that makes the check. */
function keyOf({ principal, relation, object }: RelationQuestion): string {
  const { tenant_id, subject, role } = principal;
  const isService = role === undefined;
  return JSON.stringify([tenant_id, subject, isService, relation, object]);
}

function recentKey(tenantId: string, subject = ''): string {
  return `${tenantId}:${subject}`;
}

function relationshipsUnavailable(cause: unknown): Problem {
  return new Problem({
    status: 502,
    code: 'relationships_unavailable',
    detail: 'Whether this is allowed cannot be decided at the moment. Try again in a few seconds.',
    cause,
  });
}
