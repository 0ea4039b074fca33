import type { ConfigChange } from '@soma/messaging';

/** That all tokens are void which the subject has now. */
export function voidTokensOf(tenantId: string, subject: string): ConfigChange {
  return {
    tenant_id: tenantId,
    entity: 'principal',
    id: `${tenantId}:${subject}`,
    version: Math.floor(Date.now() / 1000),
    deleted: false,
  };
}
