import { z } from 'zod';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { createdInvitation, emailAddress } from './member.contract.ts';

const name = z.string().min(1).max(200);

/** A customer of Soma, whose data nobody else sees. */
export const tenant = z.strictObject({
  tenant_id: clientIdentifier,
  name,
  /** Grows with each change. `If-Match: "<version>"` makes a change fail that would undo another. */
  version: z.int(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type Tenant = z.output<typeof tenant>;

/** Body of `POST /v1/tenants`. */
export const createTenantRequest = z.strictObject({
  tenant_id: clientIdentifier,
  name,
  /** Who is invited to be its first owner. */
  owner_email: emailAddress,
});
export type CreateTenantRequest = z.output<typeof createTenantRequest>;

/** A new tenant, and the invitation of its first owner. */
export const createdTenant = z.strictObject({ tenant, invitation: createdInvitation });
export type CreatedTenant = z.output<typeof createdTenant>;

/** Body of `PATCH /v1/tenants/{id}`. */
export const updateTenantRequest = z.strictObject({ name });
export type UpdateTenantRequest = z.output<typeof updateTenantRequest>;
