/*
 * Showing a credential.
 *
 * Whoever may reveal some must not learn from refusals which connections and fields there are. So each
 * failure, whatever failed, is the same 404 at the same moment: it is held back until then, and what
 * is not read by then counts as not readable.
 */
import { Injectable, Logger } from '@nestjs/common';
import type { Caller } from '@soma/auth';
import { connectionName, type RevealedSecret } from '@soma/contracts';
import { Problem, Secret, sleep } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import { ConnectionSecrets } from '../secrets/connection-secrets.ts';
import { ConnectionChanges, type ConnectionEvent } from './connection-changes.ts';
import { ConnectionsRepository } from './connections.repository.ts';

/** When a refusal is answered, counted from the request. A backend far away may take a second. */
const REFUSAL_MS = 2_000;

/** Which credential is to be shown; whatever a request may name. */
export interface RevealRequest {
  name: string;
  field: string;
}

/** Shows the value of a credential. */
@Injectable()
export class RevealSecret {
  private readonly logger = new Logger(RevealSecret.name);

  constructor(
    private readonly transaction: TenantTransaction,
    private readonly connections: ConnectionsRepository,
    private readonly secrets: ConnectionSecrets,
    private readonly changes: ConnectionChanges,
  ) {}

  /** @throws {@link Problem} 404 `secret_not_found`, whatever the reason is */
  async execute(caller: Caller, request: RevealRequest): Promise<RevealedSecret> {
    const shown = new AbortController();
    const refusal = sleep(REFUSAL_MS, shown.signal);
    const event = eventOf(caller, request);
    const secret = await Promise.race([this.readAndRecord(caller, request, event), refusal]);
    if (secret instanceof Secret) {
      shown.abort();
      return { field: request.field, value: secret.reveal() };
    }
    this.changes.reportRefusal({ ...event, outcome: 'failure' });
    await refusal;
    throw secretNotFound();
  }

  private async readAndRecord(
    caller: Caller,
    request: RevealRequest,
    event: ConnectionEvent,
  ): Promise<Secret | undefined> {
    try {
      const secret = await this.read(caller, request);
      if (secret !== undefined) {
        // What the audit log will not tell of is not shown.
        await this.transaction.run(event.tenantId, (manager) =>
          this.changes.record(manager, event),
        );
      }
      return secret;
    } catch (error) {
      this.logger.error({ error, message: 'A credential could not be shown.' });
      return undefined;
    }
  }

  private async read(
    { principal: { tenant_id } }: Caller,
    { name, field }: RevealRequest,
  ): Promise<Secret | undefined> {
    if (!connectionName.safeParse(name).success) {
      return undefined;
    }
    const row = await this.transaction.run(tenant_id, (manager) =>
      this.connections.lookUp(manager, tenant_id, name),
    );
    if (row === undefined || !Object.hasOwn(row.credentials, field)) {
      return undefined;
    }
    const place = this.secrets.placeOf(tenant_id, row, field);
    const version = row.credentials[field]?.version;
    return this.secrets.backend.read(place, version);
  }
}

function eventOf({ origin, principal }: Caller, { name, field }: RevealRequest): ConnectionEvent {
  return {
    origin,
    tenantId: principal.tenant_id,
    action: 'connection.secret_revealed',
    name: shortened(name),
    details: { field: shortened(field) },
  };
}

/** What somebody typed may be of any length. */
function shortened(text: string): string {
  return text.slice(0, 128);
}

function secretNotFound(): Problem {
  return new Problem({
    status: 404,
    code: 'secret_not_found',
    detail: 'There is no such credential that could be shown.',
  });
}
