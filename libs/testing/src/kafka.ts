import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Admin, Kafka, logLevel } from 'kafkajs';
import { downloadServers } from './downloads.ts';
import { freePort } from './free-port.ts';
import { type KafkaAccount, type KafkaSecurity, secureKafka } from './kafka-security.ts';
import { housingOf, type ServerHandle, ServerProcess, startServer } from './server-process.ts';

export interface KafkaOptions {
  /** Keeps the data here. Without it the data is thrown away. */
  directory?: string;
  /** Default: one that is free. */
  port?: number;
  /** The address that clients are told, when they reach the broker through a proxy. */
  advertisedPort?: number;
  /** Has clients come over TLS and sign in with this account, by PLAIN or SCRAM. */
  account?: KafkaAccount;
}

/** A real Apache Kafka broker. Disposing of it ends it, and deletes data that is not kept. */
export interface KafkaServer extends ServerHandle {
  /** `host:port`, as `KAFKA_BROKERS` takes it. */
  brokers: string;
  /** What clients must trust, where they come over TLS. */
  certificate: string | undefined;
}

/** Starts Apache Kafka 4.1 (KRaft, one node) in about four seconds. Topics are not made by themselves. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaServer> {
  try {
    return await startOnce(options);
  } catch (error) {
    if (options.port !== undefined) throw error;
    // The port is chosen seconds before Java listens on it: somebody may have taken it meanwhile.
    return startOnce(options);
  }
}

async function startOnce(options: KafkaOptions): Promise<KafkaServer> {
  const housing = await housingOf('kafka', options);
  const { directory, port } = housing;
  const { kafkaJars } = await downloadServers();
  const configuration = join(directory, 'server.properties');
  const java = [...JAVA_FLAGS, '-cp', `${kafkaJars}/*`];
  const security = options.account && (await secureKafka(directory, options.account));
  // A broker and its probe go by a way of their own where clients come over TLS.
  const ownPort = security ? await freePort() : port;
  const ports = { port, ownPort, advertisedPort: options.advertisedPort ?? port };
  await writeFile(configuration, await properties(directory, ports, security));
  if (!existsSync(join(directory, 'data', 'meta.properties'))) {
    const format = ['kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', configuration];
    await promisify(execFile)('java', [...java, ...format, ...(security?.formatArguments ?? [])]);
  }

  const server = new ServerProcess({
    name: 'Kafka',
    command: 'java',
    args: [...java, 'kafka.Kafka', configuration],
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => coordinatorAnswers(`127.0.0.1:${ownPort}`),
  });
  const handle = await startServer(server, housing);
  return Object.assign(handle, {
    brokers: `127.0.0.1:${port}`,
    certificate: security?.certificate,
  });
}

/** Does one thing as an administrator, quietly. */
export async function onKafka<Result>(
  brokers: string,
  act: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const kafka = new Kafka({
    clientId: 'soma-testing',
    brokers: [brokers],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 20_000,
    retry: { retries: 2, initialRetryTime: 100 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    return await act(admin);
  } finally {
    await admin.disconnect();
  }
}

/** A broker that has just started serves topics before it serves consumer groups. */
function coordinatorAnswers(brokers: string): Promise<unknown> {
  return onKafka(brokers, (admin) => admin.fetchOffsets({ groupId: 'soma-readiness' }));
}

const CLUSTER_ID = 'c29tYS1sb2NhbC1rYWZrYQ';
const JAVA_FLAGS = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

/** One node that is broker and controller, with the internal topics kept small. */
async function properties(
  directory: string,
  { port, ownPort, advertisedPort }: { port: number; ownPort: number; advertisedPort: number },
  security: KafkaSecurity | undefined,
): Promise<string> {
  const controllerPort = await freePort();
  const listen = (clients: number): string =>
    security
      ? `SASL_SSL://127.0.0.1:${clients},PLAINTEXT://127.0.0.1:${ownPort}`
      : `PLAINTEXT://127.0.0.1:${clients}`;
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `${listen(port)},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': listen(advertisedPort),
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    // A broker that was killed is let in again only after its old registration has lapsed (default 9 s).
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.num.partitions': '4',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.num.partitions': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...security?.properties,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
