import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 4_096;
const pool = Buffer.alloc(POOL_BYTES);
let taken = POOL_BYTES;

/**
 * Random bytes, from the same generator as `randomBytes`, fetched many at once: to ask it for each
 * nonce costs about as much as to encrypt a short value. Bytes that were handed out are wiped here.
 *
 * @param size - At most {@link POOL_BYTES}.
 */
export function pooledRandomBytes(size: number): Buffer {
  if (taken + size > POOL_BYTES) {
    randomFillSync(pool);
    taken = 0;
  }
  const part = pool.subarray(taken, taken + size);
  const bytes = Buffer.from(part);
  part.fill(0);
  taken += size;
  return bytes;
}
