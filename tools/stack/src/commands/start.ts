import { parseArgs } from 'node:util';
import { Listr, type ListrTask } from 'listr2';
import { build, runNode } from '../build.ts';
import { FullServers } from '../full-servers.ts';
import { writeClients } from '../identity-clients.ts';
import { findOthers } from '../other-servers.ts';
import { PortChooser } from '../ports.ts';
import { RunningStack } from '../running-stack.ts';
import { type DevelopmentSecrets, loadSecrets } from '../secrets.ts';
import { Servers } from '../servers.ts';
import { planServices, type Service } from '../services.ts';
import { readStack } from '../stack-file.ts';
import { welcome } from '../welcome.ts';

const report = (line: string): void => void process.stdout.write(`${line}\n`);

/** `npm start`: everything up, until Ctrl-C or `npm run stack -- down`. */
export async function start(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      gateways: { type: 'string', default: '1' },
      workers: { type: 'string', default: '1' },
      full: { type: 'boolean', default: false },
    },
  });
  const other = await readStack();
  if (other)
    throw new Error(`A stack is up already (pid ${other.pid}). See "npm run stack -- status".`);

  const startedAt = performance.now();
  const stop = stopSignal();
  const ports = new PortChooser((port, holder) => {
    report(`Port ${port} is taken by ${holder}; the next free one is used.`);
  });
  const pods = { gateway: Number(values.gateways), 'conversation-worker': Number(values.workers) };
  const services = await planServices(pods, ports);
  const secrets = await loadSecrets();
  const servers = new Servers(process.env, ports);
  await using stack = new RunningStack(servers, secrets, report);

  const identityUrl = urlOf('identity', services);
  servers.settings['API_BASE_URL'] = urlOf('gateway', services);
  servers.settings['CONNECTION_CATALOG_URL'] = urlOf('connection-catalog', services);
  const full = values.full
    ? new FullServers(servers, { environment: process.env, ports, secrets, identityUrl })
    : undefined;
  const plan: Plan = { stack, services, secrets, identityUrl, full };
  await Promise.race([bringUp(plan), stop.requested]);
  if (!stop.isRequested()) {
    const { token } = await stack.open(plan.identityUrl, stop.request);
    report(welcome(services, token, (performance.now() - startedAt) / 1_000));
    if (full)
      report(`${[...addedServers(servers), ...(await findOthers(process.env))].join('\n')}\n`);
    await stop.requested;
  }
  report('Stopping…');
}

interface Plan {
  stack: RunningStack;
  services: Service[];
  secrets: DevelopmentSecrets;
  identityUrl: string;
  /** Unset: without `--full`. */
  full: FullServers | undefined;
}

async function bringUp({ stack, services, secrets, identityUrl, full }: Plan): Promise<void> {
  const { servers } = stack;
  const starting = (service: Service): ListrTask => ({
    title: `${service.name} on ${service.url}`,
    task: () => stack.startService(service, identityUrl),
  });
  const tasks = new Listr(
    [
      { title: 'Look for Java or a container engine', task: () => servers.prepare() },
      {
        title: 'Start the servers and build the services',
        task: (_context, task) =>
          task.newListr(
            [
              { title: 'PostgreSQL', task: () => servers.startPostgres(secrets.postgresPassword) },
              { title: 'Redis', task: () => servers.startRedis() },
              {
                title: 'Kafka (the first time it is downloaded)',
                task: () => servers.startKafka(),
              },
              { title: 'Build', task: () => build() },
              {
                title: 'OPA, OpenFGA and S3 storage (the first time they are built, in minutes)',
                enabled: full !== undefined,
                task: () => full?.prepare(),
              },
            ],
            { concurrent: true },
          ),
      },
      {
        title: 'Start OPA, OpenFGA and S3 storage',
        enabled: full !== undefined,
        task: () => Promise.all([full?.startOpa(), full?.startOpenFga(), full?.startStorage()]),
      },
      {
        title: 'Migrate the database and make the topics',
        task: async () => {
          stack.watchServers();
          await provision(servers);
        },
      },
      {
        title: 'Start identity',
        task: async (_context, task) => {
          await writeClients(secrets);
          return task.newListr(services.filter(isIdentity).map(starting));
        },
      },
      {
        // They fetch identity's keys as they start; without them they refuse every token for seconds.
        title: 'Start the other services',
        task: (_context, task) => {
          const others = services.filter((service) => !isIdentity(service));
          return task.newListr(others.map(starting), { concurrent: true });
        },
      },
      {
        title: 'Wait for the policies',
        enabled: full !== undefined,
        task: () => full?.policiesAreLoaded(),
      },
    ],
    { fallbackRenderer: 'simple' },
  );
  await tasks.run().catch((cause: unknown) => {
    // The list of steps has shown what went wrong.
    throw new Error('The stack did not start.', { cause });
  });
}

function isIdentity({ app }: Service): boolean {
  return app === 'identity';
}

async function provision({ urls, settings }: Servers): Promise<void> {
  const servers = { DATABASE_URL: urls.databaseUrl, KAFKA_BROKERS: urls.kafkaBrokers };
  const env = { ...settings, ...servers };
  await runNode(['tools/provision/src/main.ts'], { NODE_ENV: 'development', ...env });
}

/** Where the servers of `--full` are. */
function addedServers({ settings }: Servers): string[] {
  const { OPA_URL, OPENFGA_API_URL, STORAGE_ENDPOINT, STORAGE_BUCKET } = settings;
  return [
    `Policy (OPA): ${OPA_URL ?? ''}`,
    `Relationships (OpenFGA): ${OPENFGA_API_URL ?? ''}`,
    `Attachments (S3): ${STORAGE_ENDPOINT ?? ''}, bucket "${STORAGE_BUCKET ?? ''}"`,
  ];
}

function urlOf(app: string, services: Service[]): string {
  const service = services.find((each) => each.app === app);
  if (!service) throw new Error(`The stack has no service of ${app}.`);
  return service.url;
}

interface StopSignal {
  requested: Promise<void>;
  isRequested: () => boolean;
  request: () => void;
}

/** Ctrl-C ends everything in order; a second one does not wait for it. */
function stopSignal(): StopSignal {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let isRequested = false;
  const request = (): void => {
    if (isRequested) process.exit(130);
    isRequested = true;
    resolve(undefined);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, request);
  return { requested: promise, isRequested: () => isRequested, request };
}
