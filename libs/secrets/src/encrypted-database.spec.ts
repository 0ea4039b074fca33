import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { EncryptedDatabase, type SecretRows } from './encrypted-database.ts';
import { Envelope, UnsealError } from './envelope.ts';
import { describeSecretBackendContract } from './secret-backend.contract.ts';
import type { SecretLocation } from './secret-backend.ts';

interface Row {
  location: SecretLocation;
  version: number;
  sealed: string;
}

/** Rows that whoever holds the pen can move about. */
class Rows implements SecretRows {
  rows: Row[] = [];
  #version = 0;

  insert(location: SecretLocation, seal: (version: number) => string): Promise<number> {
    const version = (this.#version += 1);
    this.rows.push({ location, version, sealed: seal(version) });
    return Promise.resolve(version);
  }

  find(location: SecretLocation, version?: number): Promise<Row | undefined> {
    const own = this.rows.filter((row) => isSame(row.location, location));
    return Promise.resolve(
      version === undefined ? own.at(-1) : own.find((row) => row.version === version),
    );
  }

  remove(location: SecretLocation): Promise<void> {
    this.rows = this.rows.filter((row) => !isSame(row.location, location));
    return Promise.resolve();
  }
}

function isSame(one: SecretLocation, other: SecretLocation): boolean {
  return (
    JSON.stringify(Object.entries(one).sort()) === JSON.stringify(Object.entries(other).sort())
  );
}

const newMasterKey = (): Secret => new Secret(randomBytes(32).toString('base64'));

describe('EncryptedDatabase', () => {
  describeSecretBackendContract(
    () => new EncryptedDatabase(new Rows(), new Envelope(newMasterKey())),
  );

  const masterKey = newMasterKey();
  const here = { tenantId: 'acme', connection: 'c1', field: 'token' };
  let rows: Rows;
  let backend: EncryptedDatabase;

  beforeEach(async () => {
    rows = new Rows();
    backend = new EncryptedDatabase(rows, new Envelope(masterKey));
    await backend.write(here, new Secret('one'));
    await backend.write(here, new Secret('two'));
  });

  it.each([
    ['tenant', { ...here, tenantId: 'other' }],
    ['connection', { ...here, connection: 'c2' }],
    ['field', { ...here, field: 'password' }],
  ])('does not open what was moved to another %s (P6)', async (_name, location) => {
    rows.rows = rows.rows.map((row) => ({ ...row, location }));

    await expect(backend.read(location)).rejects.toThrow(UnsealError);
  });

  it('does not open what was moved to another version', async () => {
    const [one, two] = rows.rows as [Row, Row];
    [one.version, two.version] = [two.version, one.version];

    await expect(backend.read(here)).rejects.toThrow(UnsealError);
  });

  it('stores nothing of the secret, and the same secret never twice alike', async () => {
    await backend.write(here, new Secret('visible'));
    await backend.write(here, new Secret('visible'));

    const stored = rows.rows.map(({ sealed }) => sealed);
    expect(new Set(stored).size).toBe(stored.length);
    for (const text of stored) {
      expect(text).not.toContain('visible');
      expect(Buffer.from(text.split('.')[3] ?? '', 'base64url').toString('latin1')).not.toContain(
        'visible',
      );
    }
  });

  it('reads in another process what one wrote', async () => {
    const other = new EncryptedDatabase(rows, new Envelope(masterKey));

    expect((await other.read(here))?.reveal()).toBe('two');
  });
});
