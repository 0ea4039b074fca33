import { describe, expect, it } from '@jest/globals';
import { auditHash, type AuditLine, type ChainHead, FIRST_PREVIOUS_HASH } from '@soma/contracts';
import fc from 'fast-check';
import { type Finding, verifyChain } from './verify-chain.ts';

/** Chains lines that say who did it, from a line on, or from the beginning. */
function chain(actors: readonly string[], after?: AuditLine): AuditLine[] {
  const lines: AuditLine[] = [];
  let last = after;
  for (const subject of actors) {
    const line = {
      tenant_id: 'acme',
      seq: (last?.seq ?? 0) + 1,
      audit_id: `019a0b1c-2d3e-7f40-8a5b-${String((last?.seq ?? 0) + 1).padStart(12, '0')}`,
      occurred_at: '2026-03-01T00:00:00.000Z',
      actor: { subject, address: null },
      action: 'api_key.created',
      target: { type: 'api_key', id: 'k' },
      outcome: 'success' as const,
      request_id: null,
      details: { number: 1.5 },
      previous_hash: last?.hash ?? FIRST_PREVIOUS_HASH,
    };
    last = { ...line, hash: auditHash(line) };
    lines.push(last);
  }
  return lines;
}

const at = (lines: readonly AuditLine[], seq: number): AuditLine => {
  const line = lines[seq - 1];
  if (line === undefined) throw new Error(`There is no line ${seq}.`);
  return line;
};
const headOf = (lines: readonly AuditLine[]): ChainHead | undefined => {
  const last = lines.at(-1);
  return last && { tenant_id: 'acme', seq: last.seq, hash: last.hash };
};

const whole = chain(['a', 'b', 'c', 'd', 'e']);

/** `[seq, fault]` of each finding. */
async function check(
  lines: readonly AuditLine[],
  { current = headOf(whole), exported = [] as (ChainHead | undefined)[] } = {},
): Promise<[number, Finding['fault']][]> {
  const earlier = [current, ...exported].filter((head) => head !== undefined);
  const known = { tenantId: 'acme', earlier, headNow: () => Promise.resolve(current) };
  const faults: [number, Finding['fault']][] = [];
  for await (const { seq, fault } of verifyChain(lines, known)) faults.push([seq, fault]);
  return faults;
}

describe('verifyChain', () => {
  it('finds nothing in a chain that nobody touched', async () => {
    expect(await check(whole, { exported: [headOf(whole), headOf(whole.slice(0, 2))] })).toEqual(
      [],
    );
    expect(
      await check([], { current: { tenant_id: 'acme', seq: 0, hash: FIRST_PREVIOUS_HASH } }),
    ).toEqual([]);
  });

  it.each<[string, Partial<AuditLine>]>([
    ['actor', { actor: { subject: 'x', address: null } }],
    ['address', { actor: { subject: 'c', address: '192.0.2.1' } }],
    ['action', { action: 'a.b' }],
    ['target', { target: { type: 'api_key', id: 'x' } }],
    ['outcome', { outcome: 'denied' }],
    ['request', { request_id: 'r' }],
    ['time', { occurred_at: '2026-03-01T00:00:00.001Z' }],
    ['details', { details: { number: 1.25 } }],
    ['id', { audit_id: '019a0b1c-2d3e-7f40-8a5b-999999999999' }],
    ['tenant', { tenant_id: 'globex' }],
  ])('names a line whose %s was altered', async (_what, change) => {
    expect(await check(whole.with(2, { ...at(whole, 3), ...change }))).toEqual([[3, 'altered']]);
  });

  it('names a line that was altered and given a hash that fits', async () => {
    const forged = { ...at(whole, 3), action: 'a.b' };

    expect(await check(whole.with(2, { ...forged, hash: auditHash(forged) }))).toEqual([
      [3, 'replaced'],
    ]);
  });

  it('names what was removed: the first, one in the middle, the last ones, all', async () => {
    expect(await check(whole.slice(1))).toEqual([[1, 'removed']]);
    expect(await check(whole.toSpliced(1, 2))).toEqual([[2, 'removed']]);
    expect(await check(whole.slice(0, 3))).toEqual([[4, 'removed']]);
    expect(await check([])).toEqual([[1, 'removed']]);
  });

  it('names lines that changed places, and which they were', async () => {
    const swapped = whole.with(1, { ...at(whole, 3), seq: 2 }).with(2, { ...at(whole, 2), seq: 3 });

    const faults = await check(swapped);

    expect(faults).toContainEqual([2, 'moved']);
    expect(faults).toContainEqual([3, 'moved']);
  });

  it('knows a shortened chain by a head that was written down, though its own head fits', async () => {
    const shortened = whole.slice(0, 3);

    expect(await check(shortened, { current: headOf(shortened) })).toEqual([]);
    expect(
      await check(shortened, { current: headOf(shortened), exported: [headOf(whole)] }),
    ).toEqual([[4, 'removed']]);
  });

  it('knows a chain that was made anew by a head that was written down', async () => {
    const fork = [...whole.slice(0, 2), ...chain(['x', 'y', 'z'], at(whole, 2))];

    expect(await check(fork, { current: headOf(fork) })).toEqual([]);
    expect(
      await check(fork, { current: headOf(fork), exported: [headOf(whole.slice(0, 4))] }),
    ).toEqual([[4, 'forked']]);
    expect(
      await check(fork, { current: headOf(fork), exported: [headOf(whole.slice(0, 2))] }),
    ).toEqual([]);
  });

  it('says when the head of the chain was altered', async () => {
    const behind = headOf(whole.slice(0, 4));
    const other = { tenant_id: 'acme', seq: 5, hash: 'x' };

    expect(await check(whole, { current: behind })).toEqual([[5, 'head_altered']]);
    expect(await check(whole, { current: other })).toContainEqual([5, 'head_altered']);
  });

  it('finds nothing in a chain that grows while it is read', async () => {
    const earlier = headOf(whole.slice(0, 2));
    const later = headOf(chain(['f', 'g'], whole.at(-1)));
    const known = {
      tenantId: 'acme',
      earlier: earlier === undefined ? [] : [earlier],
      headNow: () => Promise.resolve(later),
    };

    for await (const finding of verifyChain(whole, known)) expect(finding).toBeUndefined();
  });

  it('finds any single change of what is stored', async () => {
    const line = fc.integer({ min: 0, max: 4 });
    const text = fc.string({ minLength: 1 });
    await fc.assert(
      fc.asyncProperty(
        line,
        fc.constantFrom('hash', 'previous_hash', 'action'),
        text,
        async (index, field, value) => {
          const changed = whole.with(index, { ...at(whole, index + 1), [field]: value });
          expect(await check(changed)).not.toEqual([]);
        },
      ),
      { numRuns: 50 },
    );
  });
});
