import { describe, expect, it } from '@jest/globals';
import type { ConfigUpdate, Principal } from '@soma/contracts';
import { Revocations } from './revocations.ts';

const ann: Principal = { subject: 'ann', tenant_id: 'acme', scopes: [], issued_at: 1_000 };

function update(changed: Partial<ConfigUpdate>): ConfigUpdate {
  return {
    ...{ schema: 'config.updates.v1', entity: 'principal', id: 'acme:ann', version: 1_000 },
    ...{ deleted: false, tenant_id: 'acme', occurred_at: '1970-01-01T00:16:40.000Z' },
    ...changed,
  };
}

describe('Revocations', () => {
  it('voids what was issued up to its second, of that principal alone', () => {
    const revocations = new Revocations();
    revocations.apply(update({}));

    expect(revocations.isRevoked(ann)).toBe(true);
    expect(revocations.isRevoked({ ...ann, issued_at: 1_001 })).toBe(false);
    expect(revocations.isRevoked({ ...ann, subject: 'bob' })).toBe(false);
    expect(revocations.isRevoked({ ...ann, tenant_id: 'globex' })).toBe(false);
  });

  it('voids a credential that does not say when it was issued', () => {
    const revocations = new Revocations();
    const undated: Principal = { subject: 'ann', tenant_id: 'acme', scopes: [] };
    expect(revocations.isRevoked(undated)).toBe(false);

    revocations.apply(update({}));

    expect(revocations.isRevoked(undated)).toBe(true);
    expect(revocations.isRevoked({ ...undated, subject: 'bob' })).toBe(false);
  });

  it('does not go back when it hears an older record', () => {
    const revocations = new Revocations();
    revocations.apply(update({}));
    revocations.apply(update({ version: 500 }));

    expect(revocations.isRevoked(ann)).toBe(true);
  });

  it('voids the tokens of an API key that is gone, for longer than clocks differ', () => {
    const revocations = new Revocations();
    const byKey = { ...ann, api_key_id: 'k7' };
    revocations.apply(update({ entity: 'api_key', id: 'acme:k7', version: 2 }));
    expect(revocations.isRevoked(byKey)).toBe(false);

    revocations.apply(update({ entity: 'api_key', id: 'acme:k7', version: 3, deleted: true }));

    expect(revocations.isRevoked({ ...byKey, issued_at: 1_010 })).toBe(true);
    expect(revocations.isRevoked({ ...byKey, api_key_id: 'k8' })).toBe(false);
    expect(revocations.isRevoked(ann)).toBe(false);
  });

  it('voids one token, and no other of the same principal', () => {
    const revocations = new Revocations();
    revocations.apply(update({ id: 'acme:ann:t7', version: 1_000, deleted: true }));

    expect(revocations.isRevoked({ ...ann, token_id: 't7' })).toBe(true);
    expect(revocations.isRevoked({ ...ann, token_id: 't8' })).toBe(false);
    expect(revocations.isRevoked({ ...ann, tenant_id: 'globex', token_id: 't7' })).toBe(false);
    expect(revocations.isRevoked(ann)).toBe(false);
  });

  it('leaves what concerns others alone', () => {
    const revocations = new Revocations();
    revocations.apply(update({ entity: 'connection', deleted: true }));

    expect(revocations.isRevoked(ann)).toBe(false);
  });

  it('stays bounded, and voids everything as old as what it gave up (P7)', () => {
    const revocations = new Revocations(2);
    revocations.apply(update({}));
    revocations.apply(update({ id: 'acme:bob', version: 1_001 }));
    revocations.apply(update({ id: 'acme:cid', version: 1_002 }));

    expect(revocations.isRevoked(ann)).toBe(true);
    expect(revocations.isRevoked({ ...ann, subject: 'dan' })).toBe(true);
    expect(revocations.isRevoked({ ...ann, subject: 'dan', issued_at: 1_001 })).toBe(false);
  });

  it('gives up what it heard of first, and not who is revoked again and again', () => {
    const revocations = new Revocations(2);
    revocations.apply(update({ version: 10 }));
    revocations.apply(update({ id: 'acme:bob', version: 20 }));
    revocations.apply(update({ version: 1_000 }));
    revocations.apply(update({ id: 'acme:cid', version: 30 }));

    expect(revocations.isRevoked(ann)).toBe(true);
    expect(revocations.isRevoked({ ...ann, subject: 'dan', issued_at: 21 })).toBe(false);
  });
});
