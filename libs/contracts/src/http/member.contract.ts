import { z } from 'zod';
import { memberRole } from '../access/roles.ts';
import { clientIdentifier, timestamp } from '../identifiers.ts';
import { pageLimit } from './page.ts';

/** An address, in lower case however it was written. */
export const emailAddress = z
  .string()
  .max(254)
  .transform((address) => address.toLowerCase())
  .pipe(z.email('must be an e-mail address'));

const version = z.int();
const cursor = z.uuid().optional();

/** A person in a tenant. */
export const member = z.strictObject({
  user_id: z.uuid(),
  email: z.string(),
  display_name: z.string(),
  role: memberRole,
  /** Grows with each change. `If-Match: "<version>"` makes a change fail that would undo another. */
  version,
  created_at: timestamp,
  updated_at: timestamp,
});
export type Member = z.output<typeof member>;

/** Query of the lists of members, invitations and service accounts. */
export const memberListQuery = z.strictObject({ cursor, limit: pageLimit });
export type MemberListQuery = z.output<typeof memberListQuery>;

/** A page of the tenant's people, by id. */
export const memberList = z.strictObject({
  members: z.array(member),
  next_cursor: z.string().nullable(),
});
export type MemberList = z.output<typeof memberList>;

/** Body of `PATCH /v1/members/{id}`. */
export const updateMemberRequest = z.strictObject({ role: memberRole });
export type UpdateMemberRequest = z.output<typeof updateMemberRequest>;

/** Body of `POST /v1/members/invitations`. */
export const createInvitationRequest = z.strictObject({ email: emailAddress, role: memberRole });
export type CreateInvitationRequest = z.output<typeof createInvitationRequest>;

/** Who has been asked to become a member, and has not answered. */
const invitation = z.strictObject({
  invitation_id: z.uuid(),
  email: z.string(),
  role: memberRole,
  invited_by: z.string(),
  created_at: timestamp,
  expires_at: timestamp,
});
export type Invitation = z.output<typeof invitation>;

/** The answer that shows an invitation's token, this once. */
export const createdInvitation = invitation.extend({ token: z.string() });
export type CreatedInvitation = z.output<typeof createdInvitation>;

/** A page of the tenant's open invitations, the oldest first. */
export const invitationList = z.strictObject({
  invitations: z.array(invitation),
  next_cursor: z.string().nullable(),
});
export type InvitationList = z.output<typeof invitationList>;

/** Body of `POST /v1/members/invitations/accept`. */
export const acceptInvitationRequest = z.strictObject({ token: z.string().min(1).max(200) });
export type AcceptInvitationRequest = z.output<typeof acceptInvitationRequest>;

/** What somebody has become by accepting an invitation. */
export const membership = z.strictObject({ tenant_id: clientIdentifier, role: memberRole });
export type Membership = z.output<typeof membership>;

/** A program that acts in a tenant, by its API keys. */
export const serviceAccount = z.strictObject({
  service_account_id: z.uuid(),
  name: z.string(),
  version,
  created_by: z.string(),
  created_at: timestamp,
  updated_at: timestamp,
});
export type ServiceAccount = z.output<typeof serviceAccount>;

/** Body of `POST /v1/members/service-accounts` and of `PATCH` of one. */
export const serviceAccountRequest = z.strictObject({ name: z.string().min(1).max(200) });
export type ServiceAccountRequest = z.output<typeof serviceAccountRequest>;

/** A page of the tenant's service accounts, the oldest first. */
export const serviceAccountList = z.strictObject({
  service_accounts: z.array(serviceAccount),
  next_cursor: z.string().nullable(),
});
export type ServiceAccountList = z.output<typeof serviceAccountList>;
