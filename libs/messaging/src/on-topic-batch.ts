import { Catch, type ExceptionFilter, UseFilters } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import type { Topic } from '@soma/contracts';
import { type Observable, throwError } from 'rxjs';
import type { z } from 'zod';
import type { TopicBatch } from './batch-handler.ts';

/** Marks the handlers that {@link KafkaConsumers} runs. */
export const KAFKA_BATCHES = Symbol('kafka-batches');

/** What a handler's decorator says about it. */
export interface TopicSubscription {
  topic: Topic<z.ZodType>;
  /** Processes of the same group share the topic's partitions. */
  group: string;
}

/** Nest would put an error of its own in place of the handler's, which decides what comes next. */
@Catch()
class PassOn implements ExceptionFilter {
  catch(error: unknown): Observable<never> {
    return throwError(() => error);
  }
}

type BatchMethod<Value> = TypedPropertyDescriptor<(batch: TopicBatch<Value>) => Promise<void>>;

/**
 * Lets a controller's method handle the records of a topic, in batches.
 *
 * The method writes all of a batch in one transaction, or throws and has written none of it. It may
 * get a record more than once. What it throws is tried again while it is a server's fault; otherwise
 * the record at fault is found and becomes a dead letter.
 */
export function OnTopicBatch<Schema extends z.ZodType>(
  topic: Topic<Schema>,
  { group }: { group: string },
): (target: object, name: string, method: BatchMethod<z.output<Schema>>) => void {
  const subscription: TopicSubscription = { topic, group };
  const subscribe = EventPattern<unknown>(`${group}.${topic.name}`, KAFKA_BATCHES, subscription);
  const passOn = UseFilters(PassOn);
  return (target, name, method) => {
    subscribe(target, name, method);
    passOn(target, name, method);
  };
}
