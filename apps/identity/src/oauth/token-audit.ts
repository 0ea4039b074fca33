import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { AuditReport } from '@soma/contracts';
import { TenantTransaction } from '@soma/persistence';
import type Provider from 'oidc-provider';
import type { Client, KoaContextWithOIDC } from 'oidc-provider';
import { AuditLog } from '../audit/audit-log.ts';
import { AuditReports } from '../audit/audit-reports.ts';
import { keyOf } from './api-key-grants.ts';
import { requestIdOf } from './koa-request.ts';
import type { GrantOwner } from './oidc-records.ts';
import { registrationOf } from './token-content.ts';

/** A device asks every few seconds until its person has answered (RFC 8628 §3.5). */
const NOT_YET = new Set(['authorization_pending', 'slow_down']);

const GRANT_TYPES = new Set([
  ...['authorization_code', 'client_credentials', 'refresh_token'],
  'urn:ietf:params:oauth:grant-type:device_code',
]);

/** Writes down who got tokens, and who was refused. */
@Injectable()
export class TokenAudit {
  constructor(
    private readonly tenants: TenantTransaction,
    private readonly auditLog: AuditLog,
    private readonly reports: AuditReports,
  ) {}

  follow(provider: Provider): void {
    provider.use(async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
      await next();
      if (context.path !== provider.pathFor('token')) {
        return;
      }
      if (context.status === 200) {
        await this.recordIssue(context);
      } else {
        this.recordRefusal(context);
      }
    });
  }

  private async recordIssue(context: KoaContextWithOIDC): Promise<void> {
    const { client, entities } = context.oidc;
    const grantType = grantTypeOf(context);
    if (client !== undefined && entities.ClientCredentials !== undefined) {
      this.reports.record(lineOfProgram(context, client));
      return;
    }
    // A repeat of a refresh is answered again, and nothing is issued.
    if (entities.Grant === undefined || entities.AccessToken === undefined) {
      return;
    }
    // `TokenContent` saves every grant with its owner.
    const line = lineOfPerson(context, entities.Grant as unknown as GrantOwner);
    if (grantType === 'refresh_token') {
      this.reports.record(line);
      return;
    }
    // Before the answer is sent: a sign-in that cannot be written down gets nothing.
    await this.tenants.run(line.tenant_id, (manager) => this.auditLog.append(manager, line));
  }

  /** Whom the client belongs to, if it is known; the operator is told of all others. */
  private recordRefusal(context: KoaContextWithOIDC): void {
    const { client } = context.oidc;
    const { error } = context.body as { error?: unknown };
    if (typeof error !== 'string' || NOT_YET.has(error)) {
      return;
    }
    const subject = client?.clientId ?? 'anonymous';
    this.reports.record({
      ...commonOf(context),
      tenant_id: tenantOf(client) ?? this.reports.operatorTenant,
      actor: { subject, address: context.ip },
      action: 'token.refused',
      target: { type: 'client', id: subject },
      outcome: context.status < 500 ? 'denied' : 'failure',
      details: { error, grant_type: grantTypeOf(context), ...traceOf(context) },
    });
  }
}

function lineOfPerson(context: KoaContextWithOIDC, owner: GrantOwner): AuditReport {
  return {
    ...commonOf(context),
    tenant_id: owner.tenant_id,
    actor: { subject: owner.accountId, address: context.ip },
    action: 'token.issued',
    target: { type: 'user', id: owner.accountId },
    outcome: 'success',
    details: { client_id: owner.clientId, grant_type: grantTypeOf(context) },
  };
}

function lineOfProgram(context: KoaContextWithOIDC, client: Client): AuditReport {
  const key = keyOf(client);
  const { clientId } = client;
  return {
    ...commonOf(context),
    // Every program is of a tenant.
    tenant_id: tenantOf(client) ?? '',
    actor: { subject: key?.service_account_id ?? clientId, address: context.ip },
    action: 'token.issued',
    target: { type: key === undefined ? 'client' : 'api_key', id: clientId },
    outcome: 'success',
    details: { client_id: clientId, grant_type: grantTypeOf(context) },
  };
}

function tenantOf(client: Client | undefined): string | undefined {
  const registration = client && registrationOf(client);
  return registration !== undefined && 'tenant_id' in registration
    ? registration.tenant_id
    : undefined;
}

/**
 * What an unknown client calls itself, as far as it shows which refusals are of the same: it may be a
 * credential in the wrong field, which would stand here for good (P8).
 */
function traceOf({ oidc }: KoaContextWithOIDC): { client_id_hash?: string } {
  const name = oidc.client === undefined ? oidc.params?.['client_id'] : undefined;
  return typeof name === 'string' ? { client_id_hash: hash('sha256', name).slice(0, 8) } : {};
}

function commonOf(context: KoaContextWithOIDC): Pick<AuditReport, 'request_id'> {
  return { request_id: requestIdOf(context) };
}

/** What a client says may be anything. */
function grantTypeOf({ oidc }: KoaContextWithOIDC): string {
  const grantType = String(oidc.params?.['grant_type']);
  return GRANT_TYPES.has(grantType) ? grantType : 'unknown';
}
