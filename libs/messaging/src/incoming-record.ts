import type { KafkaMessage } from 'kafkajs';

/** Where a record lies. */
interface RecordPosition {
  partition: number;
  offset: string;
}

/** A record as Kafka gave it, as text. */
export interface IncomingRecord extends RecordPosition {
  key: string;
  /** Empty for a record without one. */
  value: string;
  headers: Record<string, string>;
  /** The broker's time of arrival, in milliseconds. */
  timestamp: number;
}

export function toIncomingRecord(message: KafkaMessage, partition: number): IncomingRecord {
  return {
    partition,
    offset: message.offset,
    key: message.key?.toString() ?? '',
    value: message.value?.toString() ?? '',
    headers: headersAsText(message.headers),
    timestamp: Number(message.timestamp),
  };
}

/** Our headers occur once each; of one that somebody repeats the last counts. */
function headersAsText(headers: KafkaMessage['headers'] = {}): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const last = Array.isArray(value) ? value.at(-1) : value;
    if (last !== undefined) texts[name] = last.toString();
  }
  return texts;
}
