import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { JWK } from 'jose';
import { keysFor, readToken, verifySignature } from './jws.ts';
import { importPublicKey, isAlgorithm } from './keys/public-key.ts';

/** Apache-2.0. Fetched by the Go module proxy, which pins it by its sum; nothing of it is copied. */
const MODULE = 'github.com/c2sp/wycheproof@v0.0.0-20260902155932-3fa63dd0344a';
const SUM = 'h1:pNbL2nztRsWfW/ispAwsvcDFxs9Id38uIsR2/Up5G2c=';

interface Vectors {
  testGroups: {
    comment: string;
    public?: JWK;
    private: JWK;
    tests: { tcId: number; comment: string; jws: string; result: 'valid' | 'invalid' }[];
  }[];
}

async function loadVectors(): Promise<Vectors | undefined> {
  const downloaded = await promisify(execFile)('go', ['mod', 'download', '-json', MODULE]).catch(
    (error: unknown) => {
      process.stderr.write(
        `\n*** The WYCHEPROOF VECTORS could not be fetched, so their tests are SKIPPED: ${String(error)}\n`,
      );
    },
  );
  if (downloaded === undefined) return undefined;
  const { Dir, Sum } = JSON.parse(downloaded.stdout) as { Dir: string; Sum: string };
  expect(Sum).toBe(SUM);
  const file = join(Dir, 'testvectors_v1/json_web_signature_test.json');
  return JSON.parse(await readFile(file, 'utf8')) as Vectors;
}

const vectors = await loadVectors();

async function isAccepted(jwk: JWK, text: string): Promise<boolean> {
  try {
    const token = readToken(text);
    const key = await importPublicKey(jwk);
    await verifySignature(token, keysFor(token, [key]));
    return true;
  } catch {
    return false;
  }
}

/** What we take of what is valid: public keys, our algorithms, and a payload. */
function isOurs(jwk: JWK, text: string): boolean {
  const [header = '', payload] = text.split('.');
  const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg: unknown };
  return jwk.kty !== 'oct' && isAlgorithm(alg) && payload !== '';
}

// Loudly: the name of the suite says what is missing.
(vectors === undefined ? describe.skip : describe)('the JWS vectors of Wycheproof', () => {
  const tests = (vectors?.testGroups ?? []).flatMap((group) =>
    group.tests.map((test) => ({ ...test, jwk: group.public ?? group.private })),
  );

  it('are refused where they are invalid', async () => {
    const invalid = tests.filter(({ result }) => result === 'invalid');
    const accepted = [];
    for (const { tcId, comment, jwk, jws } of invalid) {
      if (await isAccepted(jwk, jws)) accepted.push(`${tcId} ${comment}`);
    }

    expect(accepted).toEqual([]);
    expect(invalid.length).toBeGreaterThan(300);
  });

  it('are accepted where they are valid and ours, and refused where not ours', async () => {
    const valid = tests.filter(({ result }) => result === 'valid');
    let ours = 0;
    for (const { tcId, comment, jwk, jws } of valid) {
      const name = `${tcId} ${comment}`;
      ours += Number(isOurs(jwk, jws));
      expect([name, await isAccepted(jwk, jws)]).toEqual([name, isOurs(jwk, jws)]);
    }

    expect(ours).toBe(14);
  });
});
