/** A record on its way to Kafka. */
export interface OutgoingRecord {
  /** The topic's name in the catalog. */
  topic: string;
  key: string;
  /** Null in a note about another record, which has nothing but headers. */
  value: string | null;
  headers?: Record<string, string>;
}

/**
 * The largest record that topics are made for, in bytes. A message of 1 MiB fits with all that is
 * around it, so does a long answer, and so does a dead letter that quotes either.
 */
export const MAX_RECORD_BYTES = 8 * 1024 * 1024;

/** What a topic takes at once: such a record with its headers. */
export const MAX_BATCH_BYTES = MAX_RECORD_BYTES + 64 * 1024;

/** A UTF-16 unit has at most so many bytes in UTF-8. */
const MAX_BYTES_PER_UNIT = 3;

/** A record that no topic takes. Trying again does not help. */
export class RecordTooLargeError extends Error {
  override readonly name = 'RecordTooLargeError';

  constructor() {
    super(`A record is larger than ${MAX_RECORD_BYTES} bytes.`);
  }
}

/** How large a record is in UTF-16 units, which is cheap to know and near enough to its bytes. */
export function sizeOf({ key, value }: OutgoingRecord): number {
  return key.length + (value?.length ?? 0);
}

/** Whether no topic takes the record. */
export function isTooLarge(record: OutgoingRecord): boolean {
  if (sizeOf(record) * MAX_BYTES_PER_UNIT <= MAX_RECORD_BYTES) return false;
  return Buffer.byteLength(record.value ?? '') + Buffer.byteLength(record.key) > MAX_RECORD_BYTES;
}
