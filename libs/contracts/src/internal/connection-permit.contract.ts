import { z } from 'zod';
import { connectionName } from '../http/connection.contract.ts';

/** Longer than a request between services may take. */
const MAX_DEADLINE_MS = 30_000;
/** Nobody is made to wait for longer by what the other side says. */
const MAX_PAUSE_MS = 3_600_000;

/** Body of `POST /internal/v1/connections/{name}/permits`. */
export const takePermitRequest = z.strictObject({
  /** How long the caller waits in line. */
  deadline_ms: z.int().min(0).max(MAX_DEADLINE_MS),
});
export type TakePermitRequest = z.output<typeof takePermitRequest>;

/**
 * May use the connection once; given back by `DELETE …/permits/{permit_id}`, and renewed by `PUT` while
 * it is used.
 */
export const connectionPermit = z.object({
  permit_id: z.uuid(),
  /** After how many seconds it ends by itself. */
  expires_in: z.number().positive(),
});
export type ConnectionPermit = z.output<typeof connectionPermit>;

/** Which permit of which connection. */
export const permitPath = z.strictObject({ name: connectionName, permit_id: z.uuid() });
export type PermitPath = z.output<typeof permitPath>;

/** Body of `POST /internal/v1/connections/{name}/pauses`: the other side said when to come again. */
export const pauseConnectionRequest = z.strictObject({
  retry_after_ms: z.int().min(1).max(MAX_PAUSE_MS),
});
export type PauseConnectionRequest = z.output<typeof pauseConnectionRequest>;
