/*
 * How a chain is checked.
 *
 * Each line's hash covers what it says, its number and the hash of the line before. So:
 *
 * - a line that was altered or moved no longer has the hash that stands beside it;
 * - a line whose hash was made anew no longer fits the line after it, which names the old one;
 * - a missing number is a line that was removed, and at the end the head of the chain says so;
 * - whoever makes all later hashes anew, and the head, has another chain (a fork). Inside the database
 *   nothing shows it. The heads that were written down earlier do: the line of that number has
 *   another hash now.
 */
import { auditHash, type AuditLine, type ChainHead, FIRST_PREVIOUS_HASH } from '@soma/contracts';

/** How far from its place a line is looked for that was moved. */
const MOVED_WITHIN = 1_000;

/** Something that is wrong with a chain. */
export interface Finding {
  tenant_id: string;
  /** The line, or the first of those, that is wrong. */
  seq: number;
  fault: 'altered' | 'moved' | 'removed' | 'replaced' | 'forked' | 'head_altered';
  detail: string;
}

/** What is known of a chain besides its lines. */
export interface KnownHeads {
  tenantId: string;
  /** Heads from before the lines are read: those that were written down, and the database's own. */
  earlier: readonly ChainHead[];
  /** The database's own head when the last line has been read; undefined where it has none. */
  headNow: () => Promise<ChainHead | undefined>;
}

/** Where a walk along a chain stands. */
interface Place {
  seq: number;
  hash: string;
}

/**
 * Walks a chain, whose lines come in the order of their numbers, and names what is wrong with it.
 * The chain may grow meanwhile.
 */
export async function* verifyChain(
  lines: AsyncIterable<AuditLine> | Iterable<AuditLine>,
  { tenantId, earlier, headNow }: KnownHeads,
): AsyncGenerator<Finding> {
  const expected = Map.groupBy(earlier, ({ seq }) => seq);
  let last: Place = { seq: 0, hash: FIRST_PREVIOUS_HASH };
  for await (const line of lines) {
    yield* faultsOf(line, last);
    yield* forksAt(line, expected.get(line.seq) ?? []);
    last = line;
  }
  const end = Math.max(0, ...earlier.map(({ seq }) => seq));
  if (end > last.seq) {
    yield removed(tenantId, last.seq + 1, end);
  }
  yield* faultOfHead(tenantId, await headNow(), last);
}

function* faultsOf(line: AuditLine, last: Place): Generator<Finding> {
  const { tenant_id, seq } = line;
  if (seq > last.seq + 1) {
    yield removed(tenant_id, last.seq + 1, seq - 1);
  } else if (line.previous_hash !== last.hash) {
    yield replaced(tenant_id, seq);
  }
  if (auditHash(line) !== line.hash) {
    yield alteredOrMoved(line);
  }
}

function alteredOrMoved(line: AuditLine): Finding {
  const { tenant_id, seq } = line;
  const place = placeOf(line);
  return place === undefined
    ? {
        ...{ tenant_id, seq, fault: 'altered' },
        detail: `Line ${seq} does not say what it said when it was written.`,
      }
    : {
        ...{ tenant_id, seq, fault: 'moved' },
        detail: `Line ${seq} was line ${place} when it was written.`,
      };
}

/** The number with which the line has the hash that stands beside it. */
function placeOf(line: AuditLine): number | undefined {
  const distances = Array.from({ length: MOVED_WITHIN }, (_, index) => index + 1);
  return distances
    .flatMap((distance) => [line.seq - distance, line.seq + distance])
    .find((seq) => auditHash({ ...line, seq }) === line.hash);
}

function* forksAt(line: AuditLine, heads: readonly ChainHead[]): Generator<Finding> {
  const { tenant_id, seq, hash } = line;
  if (heads.some((head) => head.hash !== hash)) {
    const detail = `Line ${seq} has another hash than a head that was written down: it, or lines before it, were made anew.`;
    yield { tenant_id, seq, fault: 'forked', detail };
  }
}

/** A chain that grew while it was read has its head further on. */
function* faultOfHead(
  tenant_id: string,
  head: ChainHead | undefined,
  { seq, hash }: Place,
): Generator<Finding> {
  const isBehind = (head?.seq ?? 0) < seq;
  const isOther = head?.seq === seq && head.hash !== hash;
  if (isBehind || isOther) {
    const detail = `The head of the chain does not name line ${seq}, the last there is.`;
    yield { tenant_id, seq, fault: 'head_altered', detail };
  }
}

function removed(tenant_id: string, seq: number, to: number): Finding {
  const lines = seq === to ? `Line ${seq} is` : `Lines ${seq} to ${to} are`;
  return { tenant_id, seq, fault: 'removed', detail: `${lines} missing.` };
}

function replaced(tenant_id: string, seq: number): Finding {
  const detail =
    seq === 1
      ? 'Line 1 was not written as the first one.'
      : `Line ${seq} was not written after the present line ${seq - 1}: one of them was replaced.`;
  return { tenant_id, seq: Math.max(1, seq - 1), fault: 'replaced', detail };
}
