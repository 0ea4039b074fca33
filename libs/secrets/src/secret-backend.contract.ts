import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import type { SecretBackend, SecretLocation } from './secret-backend.ts';

/** What every backend that can be written to keeps to. */
export function describeSecretBackendContract(
  make: () => Promise<SecretBackend> | SecretBackend,
): void {
  describe('as a secret backend', () => {
    let backend: SecretBackend;
    const connection = randomUUID();
    const location = (change: Partial<SecretLocation> = {}): SecretLocation => ({
      tenantId: 'acme',
      connection,
      field: randomUUID().replaceAll('-', '_'),
      ...change,
    });
    const text = async (where: SecretLocation, version?: number): Promise<string | undefined> =>
      (await backend.read(where, version))?.reveal();

    beforeAll(async () => {
      backend = await make();
    });

    it('keeps what it is given, to the last character', async () => {
      for (const value of ['plain', 'a "b" \\ {c}\n\t', 'pässword 🔑 \u0001', 'x'.repeat(8_192)]) {
        const where = location();
        await backend.write(where, new Secret(value));
        expect(await text(where)).toBe(value);
      }
    });

    it('reads the newest version, or the one that is asked for', async () => {
      const where = location();
      const first = await backend.write(where, new Secret('one'));
      const second = await backend.write(where, new Secret('two'));

      expect(second).toBeGreaterThan(first);
      expect(await text(where)).toBe('two');
      expect(await text(where, first)).toBe('one');
      expect(await text(where, second)).toBe('two');
      expect(await text(where, second + 1)).toBeUndefined();
    });

    it('keeps the ten newest versions', async () => {
      const where = location();
      const versions: number[] = [];
      for (let count = 0; count < 10; count += 1) {
        versions.push(await backend.write(where, new Secret(`value ${count}`)));
      }

      expect(await Promise.all(versions.map((version) => text(where, version)))).toEqual(
        versions.map((_, count) => `value ${count}`),
      );
    });

    it('has nothing where nothing was written', async () => {
      expect(await text(location())).toBeUndefined();
      expect(await text(location(), 1)).toBeUndefined();
    });

    it('forgets every version, and starts anew', async () => {
      const where = location();
      const version = await backend.write(where, new Secret('gone'));
      await backend.delete(where);
      await backend.delete(where);

      expect([await text(where), await text(where, version)]).toEqual([undefined, undefined]);
      await backend.write(where, new Secret('new'));
      expect(await text(where)).toBe('new');
    });

    it('deletes nothing for one who wants it no more', async () => {
      const where = location();
      await backend.write(where, new Secret('kept'));

      await expect(backend.delete(where, AbortSignal.abort())).rejects.toThrow();
      expect(await text(where)).toBe('kept');
    });

    it('keeps tenants, connections and fields apart (P6)', async () => {
      const where = location();
      const others = [
        { ...where, tenantId: 'other' },
        { ...where, tenantId: 'Acme' },
        { ...where, connection: randomUUID() },
        { ...where, field: `${where.field}_2` },
      ];
      await backend.write(where, new Secret('mine'));
      for (const other of others) expect(await text(other)).toBeUndefined();
      for (const other of others) await backend.write(other, new Secret(JSON.stringify(other)));
      await backend.delete(where);

      for (const other of others) expect(await text(other)).toBe(JSON.stringify(other));
    });

    it('loses none of the versions that are written at once', async () => {
      const where = location();
      const values = ['a', 'b', 'c', 'd', 'e'];
      const versions = await Promise.all(
        values.map((value) => backend.write(where, new Secret(value))),
      );

      expect(new Set(versions).size).toBe(values.length);
      expect(await Promise.all(versions.map((version) => text(where, version)))).toEqual(values);
    });
  });
}
