/*
 * Verifies tokens that were never seen before, as our services do and with jose alone. Asked with a
 * number of tokens, it answers how long each took for one, in microseconds.
 */
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { Authenticator } from '@soma/auth';

const ISSUER = 'https://id.example';

const { privateKey, publicKey } = await generateKeyPair('ES256');
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' }] };
const authenticator = new Authenticator({
  issuer: ISSUER,
  keys: { place: 'memory', isOurs: false, read: () => Promise.resolve(jwks.keys) },
  audience: 'gateway',
  tenantClaims: ['tenant'],
  requireAuth: true,
  defaultTenant: 'acme',
  policyUrl: undefined,
  relationships: undefined,
});
const keys = createLocalJWKSet(jwks);

let made = 0;
function makeToken(): Promise<string> {
  made += 1;
  return new SignJWT({ tenant: 'acme', scope: 'sessions:read sessions:write', jti: String(made) })
    .setProtectedHeader({ alg: 'ES256', kid: 'k1' })
    .setIssuer(ISSUER)
    .setAudience('gateway')
    .setSubject('agent-7')
    .setIssuedAt()
    .setExpirationTime('15 minutes')
    .sign(privateKey);
}

const verifiers = {
  soma: (token: string) => authenticator.authenticate({ authorization: `Bearer ${token}` }),
  bare: (token: string) => jwtVerify(token, keys, { issuer: ISSUER, audience: 'gateway' }),
};

process.on('message', ({ tokens }: { tokens?: number }) => {
  if (tokens !== undefined) void measure(tokens).then((times) => process.send?.(times));
});

/** Token by token in turn: a verification is so short that the machine would else decide. */
async function measure(count: number): Promise<{ soma: number; bare: number }> {
  const times = { soma: 0, bare: 0 };
  for (let index = 0; index < count; index += 1) {
    const token = await makeToken();
    const order = index % 2 === 0 ? (['soma', 'bare'] as const) : (['bare', 'soma'] as const);
    for (const name of order) {
      const startedAt = performance.now();
      await verifiers[name](token);
      times[name] += ((performance.now() - startedAt) * 1000) / count;
    }
  }
  return times;
}

process.send?.('ready');
