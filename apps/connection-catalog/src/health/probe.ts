import type { OpenConnection } from '@soma/connections';
import type { HealthReason } from '@soma/contracts';
import type { Outbound } from '@soma/http';
import type { PermitLimits } from '@soma/persistence';
import type { ConnectionType, FieldValues } from '../connection-types/connection-type.ts';

/** A connection as a probe needs it. */
export interface ProbeTarget extends Pick<OpenConnection, 'fields' | 'credentials' | 'http'> {
  type: ConnectionType;
}

/** A connection whose check counts as a use of it. */
export interface LimitedTarget extends ProbeTarget {
  /** What its uses are counted under, and how many there may be. */
  use: { key: string; limits: PermitLimits };
}

/** What a probe works with. */
export interface ProbeContext {
  outbound: Outbound;
  /** Aborts when the check has taken too long. */
  signal: AbortSignal;
  /** Has everybody wait who uses the connection: the other side said when to come again. */
  pause: (forMs: number) => Promise<void>;
}

/**
 * Tries a connection with something that changes nothing and costs nothing.
 *
 * @returns Whether there was anything to try.
 * @throws {@link ProbeFailure} when it does not work; what else is thrown means that nobody answers.
 */
export type Probe = (target: ProbeTarget, context: ProbeContext) => Promise<boolean>;

/** A connection does not work, and why. */
export class ProbeFailure extends Error {
  override readonly name = 'ProbeFailure';

  constructor(
    readonly reason: HealthReason,
    cause?: unknown,
  ) {
    super(reason, { cause });
  }
}

/** The text of a plain field; undefined where it is not set. */
export function textOf(fields: FieldValues, field: string): string | undefined {
  const value = fields[field];
  return typeof value === 'string' ? value : undefined;
}
