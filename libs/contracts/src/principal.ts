import { z } from 'zod';

/** Who is asking. It comes from a verified credential, never from what a client can write. */
export const principal = z.object({
  /** The person or service behind the request: the token's `sub`. */
  subject: z.string().min(1),
  /** Whose data the request may touch. */
  tenant_id: z.string().min(1),
  /** What the credential was issued for: the token's `scope`, split at spaces. */
  scopes: z.array(z.string()),
});
export type Principal = z.output<typeof principal>;
