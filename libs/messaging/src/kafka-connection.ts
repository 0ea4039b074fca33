import { TransientError } from '@soma/kernel';
import type { Logger } from '@soma/observability';
import {
  type Admin,
  type Consumer,
  type ConsumerConfig,
  Kafka,
  type KafkaConfig as ClientConfig,
  logLevel,
  type Producer,
  type ProducerConfig,
  type SASLOptions,
} from 'kafkajs';
import { kafkaLog, silenceTimerWarning } from './kafka-log.ts';
import type { KafkaConfig } from './kafka-settings.ts';

/** How long one request to a broker may take, in milliseconds, before it counts as failed. */
const REQUEST_LIMIT_MS = 10_000;
const CONNECT_LIMIT_MS = 3_000;

/** About a second: whoever waits longer decides so itself. */
const SHORT_RETRY = { retries: 4, initialRetryTime: 50, maxRetryTime: 1_000 };

/**
 * About half a minute, for consumers. A member that comes back after a restart of the broker goes on
 * as the one it was; a new one would have to wait until the broker takes the old one for dead.
 */
const LONG_RETRY = { retries: 30, initialRetryTime: 50, maxRetryTime: 1_000 };

/** What a process calls itself, and where kafkajs's own lines go. */
export interface ClientIdentity {
  /** The app's name. Brokers show it in their logs and quotas. */
  clientId: string;
  logger: Logger;
}

silenceTimerWarning();

/** The way to one Kafka cluster. Nothing is connected before it is used. */
export class KafkaConnection {
  readonly logger: Logger;
  readonly #kafka: Kafka;
  readonly #patientKafka: Kafka;
  readonly #prefix: string;

  constructor(
    readonly config: KafkaConfig,
    { clientId, logger }: ClientIdentity,
  ) {
    const sasl = saslOptions(config);
    this.logger = logger;
    this.#prefix = config.KAFKA_TOPIC_PREFIX;
    const kafka: ClientConfig = {
      clientId,
      brokers: config.KAFKA_BROKERS,
      ssl: config.KAFKA_TLS_ENABLED,
      ...(sasl && { sasl }),
      connectionTimeout: CONNECT_LIMIT_MS,
      requestTimeout: REQUEST_LIMIT_MS,
      logLevel: logLevel.WARN,
      logCreator: kafkaLog(logger),
    };
    this.#kafka = new Kafka({ ...kafka, retry: SHORT_RETRY });
    this.#patientKafka = new Kafka({ ...kafka, retry: LONG_RETRY });
  }

  /** The name on the broker of a topic or a group of the catalog. */
  nameOf(name: string): string {
    return this.#prefix + name;
  }

  producer(config: ProducerConfig): Producer {
    return this.#kafka.producer(config);
  }

  consumer(config: ConsumerConfig): Consumer {
    return this.#patientKafka.consumer(config);
  }

  /** @throws {@link TransientError} when the brokers do not answer. */
  async check(): Promise<void> {
    await this.administer((admin) => admin.describeCluster());
  }

  /**
   * Does one thing as an administrator, on a connection of its own.
   *
   * @throws {@link TransientError} when the brokers do not answer, or not yet.
   */
  async administer<Result>(act: (admin: Admin) => Promise<Result>): Promise<Result> {
    const admin = this.#kafka.admin();
    try {
      await admin.connect();
      return await act(admin);
    } catch (error) {
      throw isPassing(error) ? new TransientError('Administering Kafka', { cause: error }) : error;
    } finally {
      await admin.disconnect();
    }
  }
}

interface KafkaFault {
  name?: unknown;
  retriable?: unknown;
  errors?: readonly unknown[];
}

/** kafkajs marks what it would try again, and has tried it for as long as it may. */
function isPassing(error: unknown): boolean {
  const { name, retriable, errors } = error as KafkaFault;
  // kafkajs answers a fault for each topic of one request.
  if (errors !== undefined) return errors.every(isPassing);
  return retriable === true || name === 'KafkaJSNumberOfRetriesExceeded';
}

function saslOptions(config: KafkaConfig): SASLOptions | undefined {
  const { KAFKA_SASL_MECHANISM: mechanism, KAFKA_SASL_USERNAME: username } = config;
  const password = config.KAFKA_SASL_PASSWORD?.reveal() ?? '';
  return mechanism && { mechanism, username, password };
}
