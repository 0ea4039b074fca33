import { Logger } from '@nestjs/common';
import type { ConnectionPermit, PermitPath, Principal } from '@soma/contracts';
import { askedPauseMs } from '@soma/http';
import type { PermitWish } from './catalog-client.ts';
import { whenRead } from './when-read.ts';

/** The longest that everybody is made to wait by what the other side says. */
const MAX_PAUSE_MS = 3_600_000;
/** A permit is renewed so often in its life: twice it may fail. */
const RENEWALS = 3;

/** Which connection is used, and how long its user waits in line. */
export interface LimitedUse extends PermitWish {
  principal: Principal;
  name: string;
}

/** What hands out permits, as `CatalogClient` does. */
interface PermitSource {
  takePermit: (principal: Principal, name: string, wish: PermitWish) => Promise<ConnectionPermit>;
  renewPermit: (principal: Principal, permit: PermitPath) => Promise<void>;
  releasePermit: (principal: Principal, permit: PermitPath) => Promise<void>;
  pause: (principal: Principal, name: string, forMs: number) => Promise<void>;
}

/** Has requests by connections wait for their turn, in one line with all services that use them. */
export class ConnectionLimits {
  readonly #logger = new Logger(ConnectionLimits.name);
  readonly #source: PermitSource;

  constructor(source: PermitSource) {
    this.#source = source;
  }

  /**
   * Makes a request when it is its turn. Its place is held until the answer's body has been read, or
   * is given up. When the other side says when to come again, everybody waits that long.
   *
   * @throws {@link TransientError} when its turn does not come in time, or cannot be asked for
   */
  async fetch(use: LimitedUse, send: () => Promise<Response>): Promise<Response> {
    const release = await this.#take(use);
    try {
      const response = await send();
      await this.#heed(use, response);
      return whenRead(response, { signal: use.signal, then: release });
    } catch (error) {
      release();
      throw error;
    }
  }

  async #take(use: LimitedUse): Promise<() => void> {
    const { principal, name } = use;
    const { permit_id, expires_in } = await this.#source.takePermit(principal, name, use);
    const permit = { name, permit_id };
    const renewal = setInterval(
      () => {
        void this.#source.renewPermit(principal, permit).catch(this.#warn('renewed'));
      },
      (expires_in * 1000) / RENEWALS,
    );
    return () => {
      clearInterval(renewal);
      void this.#source.releasePermit(principal, permit).catch(this.#warn('given back'));
    };
  }

  async #heed({ principal, name }: LimitedUse, response: Response): Promise<void> {
    const pauseMs = askedPauseMs(response);
    if (pauseMs !== undefined) {
      const forMs = Math.min(pauseMs, MAX_PAUSE_MS);
      await this.#source.pause(principal, name, forMs).catch(this.#warn('told of a pause'));
    }
  }

  /** The request itself has worked; what is not told ends by itself. */
  #warn(what: string): (error: unknown) => void {
    return (error) => {
      this.#logger.warn({ message: `The line of a connection was not ${what}.`, error });
    };
  }
}
