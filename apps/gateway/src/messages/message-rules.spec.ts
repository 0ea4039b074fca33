import { describe, expect, it } from '@jest/globals';
import type { Problem } from '@soma/kernel';
import { checkAttachments, checkMetadata } from './message-rules.ts';

const principal = { subject: 'ada', tenant_id: 'acme', scopes: [] };
const OWN = 's3://files/tenants/acme/report.pdf';

function refusal(act: () => void): Problem | undefined {
  try {
    act();
  } catch (error) {
    return error as Problem;
  }
  return undefined;
}

describe('checkMetadata', () => {
  it.each([undefined, {}, { tenant: 'acme', tenant_id: 'acme', source: 'mail' }])(
    'lets %j through',
    (metadata) => {
      expect(
        refusal(() => {
          checkMetadata(principal, metadata);
        }),
      ).toBeUndefined();
    },
  );

  it.each([
    [{ tenant: 'globex' }, 'tenant_mismatch', 'metadata.tenant'],
    [{ tenant_id: 'globex' }, 'tenant_mismatch', 'metadata.tenant_id'],
    [{ tenant: ['acme'] }, 'tenant_mismatch', 'metadata.tenant'],
    [{ action: 'summarize' }, 'reserved_metadata', 'metadata.action'],
  ])('refuses %j', (metadata, code, path) => {
    const problem = refusal(() => {
      checkMetadata(principal, metadata);
    });

    expect(problem).toMatchObject({ code, fields: [{ path }] });
    expect(problem?.status).toBe(code === 'tenant_mismatch' ? 403 : 422);
  });
});

describe('checkAttachments', () => {
  it('lets the files of the tenant through', () => {
    const files = [OWN, 's3://files/tenants/acme/2026/Größe v1..2.pdf'];
    expect(
      refusal(() => {
        checkAttachments(principal, files, 'files');
      }),
    ).toBeUndefined();
  });

  it.each([
    ['another tenant', 's3://files/tenants/globex/report.pdf'],
    ['a tenant whose name only begins alike', 's3://files/tenants/acme-2/report.pdf'],
    ['another bucket', 's3://other/tenants/acme/report.pdf'],
    ['the way up', 's3://files/tenants/acme/../globex/report.pdf'],
    ['an escaped way up', 's3://files/tenants/acme/%2e%2e/globex/report.pdf'],
    ['a backslash', 's3://files/tenants/acme/..\\globex\\report.pdf'],
    ['the folder itself', 's3://files/tenants/acme/'],
    ['an empty segment', 's3://files/tenants/acme//report.pdf'],
    ['a query', 's3://files/tenants/acme/report.pdf?versionId=1'],
    ['a line break', 's3://files/tenants/acme/a\nb'],
    ['another scheme', 'https://files/tenants/acme/report.pdf'],
  ])('refuses %s by its path', (_name, url) => {
    const problem = refusal(() => {
      checkAttachments(principal, [OWN, url], 'files');
    });

    expect(problem).toMatchObject({ status: 422, fields: [{ path: 'attachments.1' }] });
  });

  it('refuses an eleventh', () => {
    const problem = refusal(() => {
      checkAttachments(principal, Array(11).fill(OWN), 'files');
    });

    expect(problem).toMatchObject({ status: 422, fields: [{ path: 'attachments' }] });
  });

  it('refuses all of them without a storage', () => {
    expect(
      refusal(() => {
        checkAttachments(principal, [OWN], undefined);
      }),
    ).toMatchObject({
      code: 'storage_not_configured',
    });
    expect(
      refusal(() => {
        checkAttachments(principal, [], undefined);
      }),
    ).toBeUndefined();
  });
});
