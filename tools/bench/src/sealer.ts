/*
 * Seals values as secrets are stored, and encrypts them with one AES-GCM and nothing else. Asked with a
 * number of values, it answers how long each took for one, in microseconds.
 */
import { createCipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { Secret } from '@soma/kernel';
import { Envelope, secretContext } from '@soma/secrets';

/** As long as access tokens are. */
const VALUE_BYTES = 512;

const envelope = new Envelope(new Secret(randomBytes(32).toString('base64')));
const dataKey = envelope.newDataKey();
const location = {
  tenantId: 'acme',
  connection: '0190f0c2-7c1a-7d3e-9b1f-2a6f5e4d3c2b',
  field: 'token',
};
const context = secretContext(location, 7);
const key = createSecretKey(randomBytes(32));

const sealers = {
  envelope: (value: string) => envelope.seal(new Secret(value), context),
  cached: (value: string) => dataKey.seal(new Secret(value), context),
  bare: (value: string) => {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    return Buffer.concat([
      nonce,
      cipher.update(value, 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ]);
  },
};

type Name = keyof typeof sealers;
const ORDERS: Name[][] = [
  ['envelope', 'cached', 'bare'],
  ['bare', 'envelope', 'cached'],
  ['cached', 'bare', 'envelope'],
];

process.on('message', ({ values }: { values?: number }) => {
  if (values !== undefined) process.send?.(measure(values));
});

/** Value by value in turn: one takes so little that the machine would else decide. */
function measure(count: number): Record<Name, number> {
  const times = { envelope: 0, cached: 0, bare: 0 };
  for (let index = 0; index < count; index += 1) {
    const value = randomBytes(VALUE_BYTES / 2).toString('hex');
    for (const name of ORDERS[index % ORDERS.length] ?? []) {
      const startedAt = performance.now();
      sealers[name](value);
      times[name] += ((performance.now() - startedAt) * 1000) / count;
    }
  }
  return times;
}

process.send?.('ready');
