/*
 * Everywhere that a system writes, read back as text. A secret must be in none of it (P8).
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from '@jest/globals';
import { Redis } from 'ioredis';
import { Kafka, logLevel } from 'kafkajs';
import { type TraceCollector, until } from '@soma/testing';
import type { Pod, System } from './system.ts';

/** What stands in each place, by its name. */
export type Sinks = Map<string, string>;

/** What to look for, and where beside what the system keeps by itself. */
export interface Search {
  /** Under which pods are asked what they say of themselves. */
  headers: Record<string, string>;
  collector: TraceCollector;
  /** What clients were told. */
  answers?: Sinks;
  /** By what each is called. That of the database is looked for too. */
  secrets: Record<string, string | undefined>;
  /** What people said in conversations: not for whoever reads the audit log. */
  messages?: readonly string[];
  /** What must be found, or else nothing was looked at. */
  seen: readonly string[];
}

/** Stops the system's pods, and fails for each secret that can be read anywhere (P8). */
export async function expectNowhere(system: System, search: Search): Promise<void> {
  const sinks = await readAll(system, search);
  const secrets = { ...search.secrets, databasePassword: system.databasePassword };
  for (const [secret, value = ''] of Object.entries(secrets)) {
    expect([secret, value.length > 8]).toEqual([secret, true]);
    const seenIn = sinks.filter(([, text]) => text.includes(value)).map(([sink]) => sink);
    expect({ secret, seenIn }).toEqual({ secret, seenIn: [] });
  }
  const text = sinks.map(([, each]) => each).join('\n');
  for (const part of search.seen) expect(text).toContain(part);
  const audit = sinks.filter(([sink]) => /audit[._]/.test(sink));
  expect(audit.map(([sink]) => sink)).toContain('table audit.audit_log');
  for (const [sink, lines] of audit) {
    for (const message of search.messages ?? []) {
      expect({ sink, has: lines.includes(message) && message }).toEqual({ sink, has: false });
    }
  }
}

async function readAll(
  system: System,
  { headers, collector, answers = new Map<string, string>() }: Search,
): Promise<[name: string, text: string][]> {
  const { gateways, workers, identity, catalog } = system;
  const pods = [...gateways, ...workers, identity, catalog].filter((pod) => pod !== undefined);
  const states = await Promise.all(pods.map((pod) => readPod(pod, { headers, logs: system.logs })));
  const stores = await Promise.all([readTables, readRedis, readTopics].map((read) => read(system)));
  // A process that stops writes the rest of its log and sends the rest of its spans.
  await Promise.all(pods.map((pod) => pod.stop()));
  const traces = collector.requests.map(({ body }) => body.toString('latin1')).join('\n');
  // Each of them says so with its spans.
  expect(traces).toContain('service.name');
  const read = [answers, ...states, ...stores, await readLogs(system)];
  return [...read.flatMap((each) => [...each]), ['traces', traces]];
}

/** What a pod says of itself while it runs. */
async function readPod(
  pod: Pod,
  { headers, logs }: { headers: Record<string, string>; logs: string },
): Promise<Sinks> {
  const sinks: Sinks = new Map();
  for (const path of ['/metrics', '/v1/health', '/openapi.json', '/v1/models', '/v1/session']) {
    const response = await fetch(pod.url + path, { headers });
    const head = [...response.headers].join('\n');
    sinks.set(`${pod.name}${path}`, `${head}\n${await response.text()}`);
  }
  sinks.set(`${pod.name} in the process list`, await readFile(`/proc/${pod.pid}/cmdline`, 'utf8'));
  sinks.set(`${pod.name} --print-config`, await pod.printConfig());
  sinks.set(`${pod.name} in a report of a crash`, await readReport(pod, logs));
  return sinks;
}

/** What Node.js writes down of a process that crashes, or that is asked for it. */
async function readReport({ pid }: Pod, logs: string): Promise<string> {
  process.kill(pid, 'SIGUSR2');
  return until(async () => {
    const name = (await readdir(logs)).find((each) => each.endsWith(`.${pid}.0.001.json`));
    const text = name && (await readFile(join(logs, name), 'utf8'));
    // It ends so when all of it is written.
    return text?.trimEnd().endsWith('}') && text;
  });
}

/** What the pods have logged so far. */
async function readLogs({ logs }: System): Promise<Sinks> {
  const names = await readdir(logs);
  const files = names.map(async (name): Promise<[string, string]> => [
    `log ${name}`,
    await readFile(join(logs, name), 'utf8'),
  ]);
  return new Map(await Promise.all(files));
}

/** Every row of every table, as the owner sees it. */
async function readTables({ query }: System): Promise<Sinks> {
  const tables = await query<{ name: string }>(
    `SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables
      WHERE schemaname !~ '^pg_' AND schemaname <> 'information_schema'`,
  );
  const sinks: Sinks = new Map();
  for (const { name } of tables) {
    const rows = await query<{ text: string }>(`SELECT each::text AS text FROM ${name} AS each`);
    sinks.set(`table ${name}`, rows.map(({ text }) => text).join('\n'));
  }
  return sinks;
}

/** Every key in Redis, with what it holds. */
async function readRedis({ redisUrl }: System): Promise<Sinks> {
  const redis = new Redis(redisUrl);
  try {
    const keys = await redis.keys('*');
    const values = await Promise.all(keys.map((key) => readKey(redis, key)));
    return new Map([
      ['redis', keys.map((key, at) => `${key} ${JSON.stringify(values[at])}`).join('\n')],
    ]);
  } finally {
    redis.disconnect();
  }
}

async function readKey(redis: Redis, key: string): Promise<unknown> {
  const type = await redis.type(key);
  switch (type) {
    case 'hash':
      return redis.hgetall(key);
    case 'string':
      return redis.get(key);
    case 'zset':
      return redis.zrange(key, '0', '-1', 'WITHSCORES');
    case 'set':
      return redis.smembers(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'none':
      // It has just expired.
      return null;
    default:
      throw new Error(`Nobody here reads what Redis calls ${type}.`);
  }
}

/** Every record of every topic, headers included. */
async function readTopics({ kafka: { brokers, topicPrefix } }: System): Promise<Sinks> {
  const kafka = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  const consumer = kafka.consumer({ groupId: `${topicPrefix}sinks-${randomUUID()}` });
  await Promise.all([admin.connect(), consumer.connect()]);
  try {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(topicPrefix));
    // A busy broker may not know yet that it leads a topic.
    const offsets = await until(() =>
      Promise.all(topics.map((topic) => admin.fetchTopicOffsets(topic))).catch(() => undefined),
    );
    let left = offsets.flat().reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0);
    const sinks: Sinks = new Map();
    const { promise: done, resolve } = Promise.withResolvers<undefined>();
    await consumer.subscribe({ topics, fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachMessage: ({ topic, message: { key, value, headers = {} } }) => {
        const all = Object.entries(headers).map(([name, text]) => `${name}: ${String(text)}`);
        const record = [...all, String(key), String(value)].join('\n');
        sinks.set(`topic ${topic}`, `${sinks.get(`topic ${topic}`) ?? ''}${record}\n`);
        if (--left === 0) resolve(undefined);
        return Promise.resolve();
      },
    });
    await done;
    return sinks;
  } finally {
    await Promise.all([admin.disconnect(), consumer.disconnect()]);
  }
}
