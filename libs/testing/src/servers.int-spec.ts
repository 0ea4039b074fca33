import { describe, expect, it } from '@jest/globals';
import { createTestDatabase, createTestKafka, createTestRedis } from './isolation.ts';
import { onKafka } from './kafka.ts';
import { startPostgres } from './postgres.ts';
import { onRedis, startRedis } from './redis.ts';

describe('the shared servers', () => {
  it('give each test file a database that the others do not see', async () => {
    await using one = await createTestDatabase();
    await using other = await createTestDatabase();
    await one.execute('CREATE TABLE things (name text)');
    await expect(other.execute('SELECT * FROM things')).rejects.toThrow('does not exist');
  });

  it('let many test files open the same role at once', async () => {
    await using database = await createTestDatabase();
    await database.execute(`DO $$ BEGIN CREATE ROLE testing_role;
      EXCEPTION WHEN duplicate_object THEN NULL; END $$`);
    const urls = await Promise.all(
      Array.from({ length: 20 }, () => database.loginUrl('testing_role')),
    );
    expect(new Set(urls).size).toBe(1);
    expect(urls[0]).toContain('testing_role:');
  });

  it('delete the topics of a test file and no others', async () => {
    const other = createTestKafka();
    const { brokers } = other;
    await onKafka(brokers, (admin) =>
      admin.createTopics({ topics: [{ topic: `${other.topicPrefix}kept` }] }),
    );
    {
      await using own = createTestKafka();
      const topic = `${own.topicPrefix}gone`;
      await onKafka(brokers, (admin) => admin.createTopics({ topics: [{ topic }] }));
    }
    const topics = await onKafka(brokers, (admin) => admin.listTopics());
    expect(topics).toContain(`${other.topicPrefix}kept`);
    expect(topics.filter((topic) => topic.endsWith('.gone'))).toEqual([]);
    await other[Symbol.asyncDispose]();
  });

  it('give each test file a Redis database of its own', async () => {
    const [one, other] = await Promise.all([createTestRedis(), createTestRedis()]);
    await onRedis(one.url, (redis) => redis.set('name', 'one'));
    expect(await onRedis(other.url, (redis) => redis.get('name'))).toBeNull();
  });
});

describe('a server of its own', () => {
  it('keeps what was committed when it is killed', async () => {
    await using postgres = await startPostgres();
    await postgres.execute('CREATE TABLE things (name text)');
    await postgres.execute("INSERT INTO things VALUES ('kept')");
    await postgres.kill();
    await expect(postgres.execute('SELECT 1')).rejects.toThrow();
    await postgres.start();
    expect(await postgres.execute('SELECT name FROM things')).toEqual([{ name: 'kept' }]);
  });

  it('answers nobody while it is frozen', async () => {
    await using redis = await startRedis();
    redis.pause();
    const answer = onRedis(redis.url, (connection) => connection.ping());
    const first = await Promise.race([
      answer,
      new Promise((resolve) => setTimeout(resolve, 200, 'silence')),
    ]);
    redis.resume();
    expect(first).toBe('silence');
    expect(await answer).toBe('PONG');
  });
});
