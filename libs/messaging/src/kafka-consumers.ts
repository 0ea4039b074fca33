import { type CustomTransportStrategy, type MessageHandler, Server } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import type { DeadLetters } from './dead-letters.ts';
import type { KafkaConnection } from './kafka-connection.ts';
import { KAFKA_BATCHES, type TopicSubscription } from './on-topic-batch.ts';
import { TopicConsumer } from './topic-consumer.ts';

/**
 * Runs every `@OnTopicBatch` method of an app, as Nest's transport.
 *
 * @example
 * app.connectMicroservice({ strategy: app.get(KafkaConsumers) });
 * await app.startAllMicroservices();
 */
export class KafkaConsumers extends Server implements CustomTransportStrategy {
  override readonly transportId = KAFKA_BATCHES;
  /** Failures reach the consumer, which reports them. */
  override readonly propagatesEventHandlerErrors = true;
  readonly #connection: KafkaConnection;
  readonly #deadLetters: DeadLetters;
  #consumers: TopicConsumer[] = [];

  constructor(connection: KafkaConnection, deadLetters: DeadLetters) {
    super();
    this.#connection = connection;
    this.#deadLetters = deadLetters;
  }

  /** Begins in the background: a process starts also while Kafka is down. */
  listen(started: () => void): void {
    this.#consumers = [...this.messageHandlers.values()].map((handler) => this.#consume(handler));
    for (const consumer of this.#consumers) consumer.start();
    started();
  }

  async close(): Promise<void> {
    await Promise.all(this.#consumers.map((consumer) => consumer.stop()));
  }

  /** Part of Nest's contract. What happens to a consumer is in logs and metrics. */
  on(): never {
    throw new Error('Kafka consumers have no events to listen to.');
  }

  unwrap(): never {
    throw new Error('Kafka consumers do not show their client.');
  }

  #consume(handler: MessageHandler): TopicConsumer {
    // Only @OnTopicBatch makes handlers of this transport, and it leaves this beside each.
    const { topic, group } = handler.extras as TopicSubscription;
    return new TopicConsumer({
      connection: this.#connection,
      deadLetters: this.#deadLetters,
      topic,
      group,
      handle: async (batch) => {
        const result = this.transformToObservable<unknown>(await handler(batch));
        await lastValueFrom(result, { defaultValue: undefined });
      },
    });
  }
}
