import { counter, gauge } from '@soma/observability';

export type StreamKind = 'sse' | 'websocket';

/** Counted as plain numbers: a labelled counter would cost as much as the event's way out. */
export const framesSent: Record<StreamKind, number> = { sse: 0, websocket: 0 };

counter({
  name: 'soma_stream_frames_total',
  help: 'Events sent to subscribers.',
  labelNames: ['kind'],
  collect() {
    this.reset();
    this.inc({ kind: 'sse' }, framesSent.sse);
    this.inc({ kind: 'websocket' }, framesSent.websocket);
  },
});

export const streamMetrics = {
  open: gauge({ name: 'soma_streams_open', help: 'Open streams.', labelNames: ['kind'] }),
  slowReaders: counter({
    name: 'soma_stream_slow_readers_total',
    help: 'Streams that were ended because their reader was too slow.',
    labelNames: ['kind'],
  }),
  gapsRead: counter({
    name: 'soma_stream_gaps_read_total',
    help: 'Reads of the timeline for rows that were not heard.',
  }),
  unreadable: counter({
    name: 'soma_stream_unreadable_records_total',
    help: 'Records of open sessions that are no event.',
  }),
};
