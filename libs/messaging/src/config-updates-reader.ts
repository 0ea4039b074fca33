import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { type ConfigUpdate, configUpdate, configUpdates } from '@soma/contracts';
import { BroadcastReader } from './broadcast-reader.ts';
import { KafkaConnection } from './kafka-connection.ts';

/**
 * Hears of every change that a process must drop its copies at: the topic `config.updates`, first
 * all that lies on it, then what comes.
 *
 * A process is ready only once {@link isCaughtUp}: before that it could take what is revoked for
 * good. While Kafka is away afterwards, it goes on with what it has heard.
 *
 * Nothing is kept here. What is heard may be older than what a listener knows.
 */
@Injectable()
export class ConfigUpdatesReader implements OnApplicationBootstrap, OnApplicationShutdown {
  readonly #connection: KafkaConnection;
  readonly #reader: BroadcastReader;
  readonly #listeners: ((update: ConfigUpdate) => void)[] = [];
  #isCaughtUp = false;

  constructor(connection: KafkaConnection) {
    this.#connection = connection;
    this.#reader = new BroadcastReader({
      connection,
      topic: configUpdates.name,
      // From the very beginning: a compacted topic is short.
      beginBackMs: Number.MAX_SAFE_INTEGER,
      onRecord: (_key, value) => {
        this.#hear(value);
      },
      onAssigned: () => undefined,
    });
    void this.#reader.caughtUp.then(() => {
      this.#isCaughtUp = true;
    });
  }

  /** Whether all that was on the topic at the start has been heard. */
  get isCaughtUp(): boolean {
    return this.#isCaughtUp;
  }

  /** Has a listener called at every update; to be said before the application starts. */
  listen(listener: (update: ConfigUpdate) => void): void {
    this.#listeners.push(listener);
  }

  onApplicationBootstrap(): void {
    this.#reader.onApplicationBootstrap();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#reader.onApplicationShutdown();
  }

  #hear(value: Buffer): void {
    // What is no JSON throws; the reader reports it and goes on.
    const { success, data } = configUpdate.safeParse(JSON.parse(value.toString()));
    if (!success) {
      // An entity that only newer services know, of which there are no copies here.
      this.#connection.logger.debug('An update of an unknown form is passed over.');
      return;
    }
    for (const listener of this.#listeners) listener(data);
  }
}
