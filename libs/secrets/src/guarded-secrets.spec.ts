import { describe, expect, it } from '@jest/globals';
import { Secret, TransientError } from '@soma/kernel';
import { GuardedSecrets } from './guarded-secrets.ts';
import type { SecretBackend } from './secret-backend.ts';

const location = { tenantId: 'acme', connection: 'c1', field: 'token' };

/** A backend that fails as it is told, and then answers. */
class Failing implements SecretBackend {
  readonly type = 'vault';
  calls = 0;
  signal: AbortSignal | undefined;

  constructor(private readonly failures: Error[]) {}

  write(): Promise<number> {
    return this.#answer(1);
  }

  read(): Promise<Secret> {
    return this.#answer(new Secret('value'));
  }

  delete(_location: unknown, signal?: AbortSignal): Promise<void> {
    this.signal = signal;
    return this.#answer(undefined);
  }

  #answer<Value>(value: Value): Promise<Value> {
    this.calls += 1;
    const failure = this.failures.shift();
    return failure === undefined ? Promise.resolve(value) : Promise.reject(failure);
  }
}

const transient = (): Error => new TransientError('A request');

describe('GuardedSecrets', () => {
  it('tries again what fails for a moment', async () => {
    const backend = new Failing([transient(), transient()]);
    const guarded = new GuardedSecrets(backend, () => undefined);

    expect((await guarded.read(location))?.reveal()).toBe('value');
    expect([guarded.type, backend.calls]).toEqual(['vault', 3]);
  });

  it('does not try again what was refused, and goes on with other secrets', async () => {
    const refused = new Error('refused');
    const backend = new Failing(Array.from({ length: 10 }, () => refused));
    const guarded = new GuardedSecrets(backend, () => undefined);
    for (let count = 0; count < 10; count += 1) {
      await expect(guarded.write(location, new Secret('value'))).rejects.toBe(refused);
    }

    expect(backend.calls).toBe(10);
    await expect(guarded.delete(location)).resolves.toBeUndefined();
  });

  it('deletes nothing more once nobody wants it to', async () => {
    const giving = new AbortController();
    const backend = new Failing(Array.from({ length: 3 }, transient));
    const guarded = new GuardedSecrets(backend, () => undefined);
    const deleting = guarded.delete(location, giving.signal);
    giving.abort();

    await expect(deleting).rejects.toMatchObject({ name: 'AbortError' });
    expect([backend.calls, backend.signal]).toEqual([1, giving.signal]);
  });

  it('leaves alone what keeps failing, and says so', async () => {
    const backend = new Failing(Array.from({ length: 100 }, transient));
    const states: string[] = [];
    const guarded = new GuardedSecrets(backend, (name, state) => states.push(`${name} ${state}`));
    const attempts = Array.from({ length: 5 }, () => guarded.read(location).catch(() => undefined));
    await Promise.all(attempts);
    const { calls } = backend;

    await expect(guarded.read(location)).rejects.toThrow(TransientError);
    expect(backend.calls).toBe(calls);
    expect(states[0]).toBe('vault closed');
    expect(states.at(-1)).toBe('vault open');
  });
});
