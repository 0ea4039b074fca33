import { counter, gauge, histogram } from '@soma/observability';

/** The way to Kafka. */
export const producerMetrics = {
  queueRecords: gauge({
    name: 'soma_kafka_send_queue_records',
    help: 'Records that wait for Kafka in memory',
  }),
  queueSize: gauge({
    name: 'soma_kafka_send_queue_bytes',
    help: 'Text that waits for Kafka in memory',
  }),
  sendSeconds: histogram({
    name: 'soma_kafka_send_seconds',
    help: 'Time of one produce request, tries included',
  }),
};

/** The way of rows to Kafka. */
export const relayMetrics = {
  backlogRows: gauge({ name: 'soma_outbox_rows', help: 'Rows that Kafka does not have yet' }),
  oldestAgeSeconds: gauge({
    name: 'soma_outbox_age_seconds',
    help: 'Age of the oldest row that is still to be sent, by the outbox',
    labelNames: ['outbox'],
  }),
  rows: counter({
    name: 'soma_relay_rows_total',
    help: 'Rows published, from memory at once or by the poll of what was left behind',
    labelNames: ['from'],
  }),
};

/**
 * Says how long the first row has waited of an outbox that one pod empties. It counts until a later
 * pass finds another one, or none.
 *
 * @param oldest - When it was written; undefined where nothing waits, or another pod sends.
 */
export function noteOutboxAge(outbox: string, oldest: Date | undefined): void {
  const ageMs = oldest === undefined ? 0 : Date.now() - oldest.getTime();
  relayMetrics.oldestAgeSeconds.set({ outbox }, Math.max(0, ageMs) / 1000);
}

/** The way from Kafka. */
export const consumerMetrics = {
  lag: gauge({
    name: 'soma_kafka_consumer_lag_records',
    help: 'Records behind the end of the partition',
    labelNames: ['topic', 'partition'],
  }),
  batchRecords: histogram({
    name: 'soma_kafka_batch_records',
    help: 'Records handled together',
    labelNames: ['topic'],
    buckets: [1, 2, 5, 10, 20, 50, 100, 200, 500],
  }),
  handlingSeconds: histogram({
    name: 'soma_kafka_batch_seconds',
    help: 'Time of handling a batch, retries included',
    labelNames: ['topic'],
  }),
  deadLetters: counter({
    name: 'soma_dead_letters_total',
    help: 'Records that could not be handled',
    labelNames: ['topic'],
  }),
};

/** The way of audit events to the audit log. */
export const auditMetrics = {
  inFile: counter({
    name: 'soma_audit_events_in_file_total',
    help: 'Audit events that Kafka did not take and that were written to the fallback file',
  }),
  lost: counter({
    name: 'soma_audit_events_lost_total',
    help: 'Audit events that came faster than they could be written anywhere',
  }),
};
