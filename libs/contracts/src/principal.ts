import { z } from 'zod';
import { memberRole } from './access/roles.ts';

/** Who is asking. It comes from a verified credential, never from what a client can write. */
export const principal = z.object({
  /** The person or service behind the request: the token's `sub`. */
  subject: z.string().min(1),
  /** Whose data the request may touch. */
  tenant_id: z.string().min(1),
  /** What the credential was issued for: the token's `scope`, split at spaces. */
  scopes: z.array(z.string()),
  /** The role of a person in the tenant: the token's `role`. A service has none. */
  role: memberRole.optional(),
  /** How the person signed in (RFC 8176): the token's `amr`, as in `['pwd', 'otp']`. */
  authentication_methods: z.array(z.string()).optional(),
  /** When the person last proved it, in seconds since 1970: the token's `auth_time`. */
  authenticated_at: z.int().optional(),
  /**
   * When the credential was issued, in seconds since 1970: the token's `iat`. What is revoked later
   * voids it.
   */
  issued_at: z.int().optional(),
  /** The credential itself: the token's `jti`. It can be revoked alone. */
  token_id: z.string().optional(),
  /** The API key that the credential was obtained with. */
  api_key_id: z.string().optional(),
});
export type Principal = z.output<typeof principal>;
