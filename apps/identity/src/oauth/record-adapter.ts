import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import { requestIdOf } from './koa-request.ts';
import type { Cause, OidcRecords } from './oidc-records.ts';

/** What has no lifetime of its own is kept for a day. */
const DEFAULT_LIFE_SECONDS = 24 * 60 * 60;

/** A code or refresh token that another request is using, or used a moment ago. */
export class AlreadyUsed extends errors.InvalidGrant {
  constructor() {
    super('already used');
  }
}

/** Lets oidc-provider keep one kind of record in the database. */
export class RecordAdapter implements Adapter {
  constructor(
    private readonly model: string,
    private readonly records: OidcRecords,
  ) {}

  upsert(id: string, payload: AdapterPayload, expiresInS = DEFAULT_LIFE_SECONDS): Promise<void> {
    return this.records.save({ model: this.model, id, payload, expiresInS });
  }

  find(id: string): Promise<AdapterPayload | undefined> {
    return this.records.find(this.model, id);
  }

  findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.records.findByUid(this.model, uid);
  }

  findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.records.findByUserCode(this.model, userCode);
  }

  /** @throws {@link AlreadyUsed} for all but one of those that try at once. */
  async consume(id: string): Promise<void> {
    if (await this.records.consume(this.model, id)) {
      return;
    }
    if (this.model === 'AuthorizationCode') {
      // RFC 6749 §4.1.2: who else has the code has it from a thief, or is one.
      await this.revokeFamilyOf(id);
    }
    throw new AlreadyUsed();
  }

  destroy(id: string): Promise<void> {
    return this.model === 'Grant'
      ? this.records.revokeGrant(id, causeNow())
      : this.records.destroy(this.model, id);
  }

  revokeByGrantId(grantId: string): Promise<void> {
    return this.records.revokeGrant(grantId, causeNow());
  }

  private async revokeFamilyOf(id: string): Promise<void> {
    const record = await this.records.find(this.model, id);
    if (record?.grantId !== undefined) {
      await this.records.revokeGrant(record.grantId, causeNow());
    }
  }
}

/** oidc-provider tells an adapter nothing of the request that it works for, but remembers it. */
function causeNow(): Cause {
  const context = Provider.ctx;
  return {
    reason: context?.oidc.route === 'revocation' ? 'returned' : 'replayed',
    address: context?.ip ?? null,
    request_id: context === undefined ? null : requestIdOf(context),
  };
}
