import { histogram } from '@soma/observability';
import { type EntitySubscriberInterface, EventSubscriber } from 'typeorm';

const seconds = histogram({
  name: 'soma_database_query_seconds',
  help: 'How long queries took, as the service saw it.',
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5],
});

/** Measures every query. TypeORM makes the one instance of it. */
@EventSubscriber()
export class QueryTimes implements EntitySubscriberInterface {
  afterQuery(event: { executionTime?: number }): void {
    if (event.executionTime !== undefined) {
      seconds.observe(event.executionTime / 1000);
    }
  }
}
