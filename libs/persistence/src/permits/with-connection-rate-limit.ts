import { TransientError } from '@soma/kernel';
import { PERMIT_RENEW_MS, type PermitLimits } from './permit-store.ts';
import type { Permits } from './permits.ts';

/** A call of a tool that uses a connection. */
export interface ConnectionCall {
  connection: { tenantId: string; connectionId: string; limits: PermitLimits };
  /** How long the call may wait for its turn. */
  deadlineMs: number;
  signal?: AbortSignal;
}

/** A class with limited methods hands its permits over under this name. */
export interface UsesPermits {
  readonly permits: Permits;
}

/** Which key the permits of a connection are counted under. */
export function permitKey(tenantId: string, connectionId: string): string {
  return `${tenantId}:${connectionId}`;
}

/**
 * Has each call of a method wait for its turn at the connection that it uses, however long it then takes. When the other side
 * says when to come again ({@link TransientError.retryAfterMs}), all pods wait that long.
 */
export const WithConnectionRateLimit =
  () =>
  <Call extends ConnectionCall, Result>(
    _target: UsesPermits,
    _name: string,
    descriptor: TypedPropertyDescriptor<(call: Call) => Promise<Result>>,
  ): TypedPropertyDescriptor<(call: Call) => Promise<Result>> => {
    const { value: method } = descriptor;
    if (method === undefined) {
      throw new Error('Only methods have rate limits.');
    }
    const value = async function (this: UsesPermits, call: Call): Promise<Result> {
      const { connection, deadlineMs, signal } = call;
      const key = permitKey(connection.tenantId, connection.connectionId);
      const permit = await this.permits.take(key, connection.limits, { deadlineMs, signal });
      const renewal = setInterval(() => void permit.renew(), PERMIT_RENEW_MS);
      try {
        return await method.call(this, call);
      } catch (error) {
        if (error instanceof TransientError && error.retryAfterMs !== undefined) {
          await this.permits.pause(key, error.retryAfterMs);
        }
        throw error;
      } finally {
        clearInterval(renewal);
        await permit.release();
      }
    };
    return { ...descriptor, value };
  };
