import { randomUUID } from 'node:crypto';
import { onKafka } from './kafka.ts';
import { type DatabaseAccess, databaseAccess } from './postgres.ts';
import { onRedis, REDIS_DATABASES } from './redis.ts';
import { sharedServers } from './shared-servers.ts';

/** A database of one test file. Disposing of it drops it. */
export type TestDatabase = DatabaseAccess & AsyncDisposable;

/** Makes an empty database on the shared server. Roles are shared with every other file. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const { postgresUrl } = sharedServers();
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const server = databaseAccess(postgresUrl);
  await server.execute(`CREATE DATABASE ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return {
    ...databaseAccess(url.href),
    [Symbol.asyncDispose]: async () => {
      await server.execute(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

/** A part of the shared broker. Disposing of it deletes the topics that have its prefix. */
export interface TestKafka extends AsyncDisposable {
  brokers: string;
  /** What every topic and group of one test file begins with. */
  topicPrefix: string;
}

/** A part of the shared broker for one test file. */
export function createTestKafka(): TestKafka {
  const { brokers } = sharedServers();
  const topicPrefix = `test-${randomUUID().slice(0, 8)}.`;
  return {
    brokers,
    topicPrefix,
    [Symbol.asyncDispose]: () =>
      onKafka(brokers, async (admin) => {
        const topics = await admin.listTopics();
        const own = topics.filter((topic) => topic.startsWith(topicPrefix));
        if (own.length > 0) await admin.deleteTopics({ topics: own });
      }),
  };
}

/** An empty logical database of the shared Redis, for one test file. */
export async function createTestRedis(): Promise<{ url: string }> {
  const { redisUrl } = sharedServers();
  const number = await onRedis(redisUrl, (redis) => redis.incr('databases'));
  // Database 0 holds the counter. A number comes again only after a thousand files.
  const url = `${redisUrl}/${1 + (number % (REDIS_DATABASES - 1))}`;
  await onRedis(url, (redis) => redis.flushdb());
  return { url };
}
