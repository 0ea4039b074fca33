export { CoalescingProducer } from './coalescing-producer.ts';
export { createTopics, type TopicOutcome } from './create-topics.ts';
export { type ClientIdentity, KafkaConnection } from './kafka-connection.ts';
export { type KafkaConfig, kafkaSettings } from './kafka-settings.ts';
export { MessagingModule } from './messaging.module.ts';
export type { Backlog, Outbox, PublishableRow } from './outbox.ts';
export { type OutgoingRecord, RecordTooLargeError } from './outgoing-record.ts';
export { Relay, type RelayOptions } from './relay.ts';
