import {
  type Breaker,
  type BreakerState,
  createBreaker,
  retryTransient,
  type Secret,
  TransientError,
} from '@soma/kernel';
import type { SecretBackend, SecretBackendType, SecretLocation } from './secret-backend.ts';

const TRIES = 3;

/**
 * A backend across the network: what fails for a moment is tried again, and one that keeps failing is
 * left alone for a while. A write that is tried again may leave a version that nobody reads.
 */
export class GuardedSecrets implements SecretBackend {
  readonly type: SecretBackendType;
  readonly #breaker: Breaker;

  /** @param onState - Who hears whether requests go through. */
  constructor(
    private readonly backend: SecretBackend,
    onState: (name: string, state: BreakerState) => void,
  ) {
    this.type = backend.type;
    this.#breaker = createBreaker({
      name: backend.type,
      onState,
      // What is refused says nothing about the next secret.
      isFailure: (error) => error instanceof TransientError,
    });
  }

  write(location: SecretLocation, value: Secret): Promise<number> {
    return this.#guard(() => this.backend.write(location, value));
  }

  read(location: SecretLocation, version?: number): Promise<Secret | undefined> {
    return this.#guard(() => this.backend.read(location, version));
  }

  delete(location: SecretLocation, signal?: AbortSignal): Promise<void> {
    return this.#guard(() => this.backend.delete(location, signal), signal);
  }

  #guard<Result>(act: () => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    const patience = { attempts: TRIES, ...(signal && { signal }) };
    return this.#breaker.execute(() => retryTransient(act, patience));
  }
}
