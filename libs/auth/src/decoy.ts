import { compactVerify, type CryptoKey, importJWK } from 'jose';

/** The example of RFC 7515 appendix A.3. */
const TOKEN =
  'eyJhbGciOiJFUzI1NiJ9' +
  '.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ' +
  '.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q';
const KEY = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
};

let imported: Promise<CryptoKey> | undefined;

/**
 * Does the work of one verification for nothing.
 *
 * A token that is refused for its form, its issuer or its key would otherwise be refused sooner than
 * one with a bad signature, and the time would tell a forger how far it got.
 */
export async function verifyDecoy(): Promise<void> {
  imported ??= importJWK(KEY, 'ES256') as Promise<CryptoKey>;
  await compactVerify(TOKEN, await imported);
}
