import { type DeadLetter, deadLetter, deadLetterTopic } from '@soma/contracts';
import type { CoalescingProducer } from './coalescing-producer.ts';
import type { IncomingRecord } from './incoming-record.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { consumerMetrics } from './messaging-metrics.ts';
import { RecordTooLargeError } from './outgoing-record.ts';
import { readTopic } from './read-topic.ts';

/** Header of a note that settles a letter of the same topic: `<partition>:<offset>`. */
const SETTLES = 'dead-letter-settles';
/** Header of such a note: what was done with the letter. */
const OUTCOME = 'dead-letter-outcome';

/** Header of a record that is sent once more: the id of its letter. */
const REPLAYS = 'dead-letter-replays';

/** The letter that a record is the replay of, or undefined for a record that came of itself. */
export function replayedLetter(headers: Readonly<Record<string, string>>): string | undefined {
  return headers[REPLAYS];
}

/** Something that could not be handled, on its way to the dead letters of its topic. */
export interface Casualty {
  /** The topic's name in the catalog. */
  topic: string;
  key: string;
  /** The value as it came. */
  value: string;
  headers?: Record<string, string>;
  error: unknown;
  /** How often it was tried again. */
  retries: number;
}

/** A dead letter that nobody has settled. */
export interface OpenDeadLetter {
  /** `<source topic>:<partition>:<offset>` of the letter. */
  id: string;
  key: string;
  headers: Record<string, string>;
  letter: DeadLetter;
}

/**
 * Dead letters: what could not be handled, with the reason, for a person to look at.
 *
 * Kafka neither deletes nor marks a single record. So a letter that is replayed or dropped gets a
 * note behind it on the same topic, a record without a value whose headers name it, and a letter is
 * open while it has no note. Letter and note lie in the same partition, so the note stays as long as
 * the letter does.
 */
export class DeadLetters {
  readonly #connection: KafkaConnection;
  readonly #producer: CoalescingProducer;

  constructor(connection: KafkaConnection, producer: CoalescingProducer) {
    this.#connection = connection;
    this.#producer = producer;
  }

  /** Puts something aside, with its key and headers. Resolves when Kafka has it. */
  async put(casualty: Casualty): Promise<void> {
    const { topic, key, headers = {} } = casualty;
    const record = { topic: deadLetterTopic(topic), key, headers };
    try {
      await this.#producer.send({ ...record, value: JSON.stringify(letterOf(casualty)) });
    } catch (error) {
      if (!(error instanceof RecordTooLargeError)) throw error;
      // Better a letter without its original than a consumer that never gets past it.
      const value = JSON.stringify(letterOf({ ...casualty, value: '' }));
      await this.#producer.send({ ...record, value });
    }
    consumerMetrics.deadLetters.inc({ topic });
  }

  /** The open letters of a topic of the catalog, oldest first. */
  async list(topic: string): Promise<OpenDeadLetter[]> {
    const letters = new Map<string, OpenDeadLetter & { timestamp: number }>();
    const settled = new Set<string>();
    await readTopic(this.#connection, deadLetterTopic(topic), (record) => {
      const { [SETTLES]: settles } = record.headers;
      if (settles !== undefined) settled.add(`${topic}:${settles}`);
      else {
        const open = openLetter(topic, record);
        letters.set(open.id, { ...open, timestamp: record.timestamp });
      }
    });
    return [...letters.values()]
      .filter(({ id }) => !settled.has(id))
      .sort((one, other) => one.timestamp - other.timestamp)
      .map(({ id, key, headers, letter }) => ({ id, key, headers, letter }));
  }

  /** One open letter, or undefined. */
  async find(id: string): Promise<OpenDeadLetter | undefined> {
    const letters = await this.list(parseId(id).topic);
    return letters.find((letter) => letter.id === id);
  }

  /**
   * Sends the original to its topic once more. A crash in between may send it twice.
   *
   * @returns Whether there was an open letter of that id.
   */
  async replay(id: string): Promise<boolean> {
    const open = await this.find(id);
    if (open === undefined) return false;
    const { key, headers, letter } = open;
    const value = letter.original_event;
    await this.#producer.send({
      topic: letter.source_topic,
      key,
      value,
      headers: { ...headers, [REPLAYS]: id },
    });
    await this.#settle(open, 'replayed');
    return true;
  }

  /**
   * Puts a letter away unhandled.
   *
   * @returns Whether there was an open letter of that id.
   */
  async drop(id: string): Promise<boolean> {
    const open = await this.find(id);
    if (open === undefined) return false;
    await this.#settle(open, 'dropped');
    return true;
  }

  /** The letter's key brings the note to the letter's partition. */
  async #settle({ id, key }: OpenDeadLetter, outcome: 'replayed' | 'dropped'): Promise<void> {
    const { topic, position } = parseId(id);
    const headers = { [SETTLES]: position, [OUTCOME]: outcome };
    await this.#producer.send({ topic: deadLetterTopic(topic), key, value: null, headers });
  }
}

function letterOf({ topic, value, error, retries }: Casualty): DeadLetter {
  return {
    original_event: value,
    source_topic: topic,
    error_message: error instanceof Error ? error.message : String(error),
    error_type: error instanceof Error ? error.name : typeof error,
    retry_count: retries,
    timestamp: new Date().toISOString(),
  };
}

/** Whatever somebody may have put on the topic is shown, so that it can be dropped. */
function openLetter(topic: string, record: IncomingRecord): OpenDeadLetter {
  const { key, headers, value, partition, offset } = record;
  const id = `${topic}:${partition}:${offset}`;
  const parsed = deadLetter.safeParse(parseJson(value));
  const letter = parsed.data ?? unreadable(topic, record);
  return { id, key, headers, letter };
}

function unreadable(topic: string, { value, timestamp }: IncomingRecord): DeadLetter {
  return {
    original_event: value,
    source_topic: topic,
    error_message: 'This record is no dead letter.',
    error_type: 'UnreadableDeadLetter',
    retry_count: 0,
    timestamp: new Date(timestamp).toISOString(),
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function parseId(id: string): { topic: string; position: string } {
  const [topic = '', partition = '', offset = ''] = id.split(':');
  return { topic, position: `${partition}:${offset}` };
}
