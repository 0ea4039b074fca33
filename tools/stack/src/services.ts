import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ServerProcess } from '@soma/testing';
import { logsDirectory, stateDirectory, workspace } from './paths.ts';
import type { PortChooser } from './ports.ts';
import type { DevelopmentSecrets } from './secrets.ts';
import type { ServerUrls } from './servers.ts';

/** The development token's tenant, which the documented samples name too. */
export const TENANT = 'acme';

/** One kind of service, as design and charts name it. */
interface App {
  name: string;
  port: number;
  /** The role that it logs in with. */
  role: string;
}

const APPS: App[] = [
  { name: 'identity', port: 8080, role: 'identity' },
  { name: 'gateway', port: 8010, role: 'gateway' },
  { name: 'conversation-worker', port: 8011, role: 'conversation_worker' },
  { name: 'connection-catalog', port: 8013, role: 'connection_catalog' },
];

/** Further pods of a service listen ten ports on, where no other service's default is. */
const POD_STEP = 10;

/** One process of an app. */
export interface Service {
  name: string;
  app: string;
  role: string;
  port: number;
  url: string;
  log: string;
}

/** How many pods of each app run; one where nothing is said. */
export type Pods = Partial<Record<string, number>>;

/** Names every service and gives it a port. */
export async function planServices(pods: Pods, ports: PortChooser): Promise<Service[]> {
  const services: Service[] = [];
  for (const { name: app, port: preferred, role } of APPS) {
    for (let pod = 1; pod <= (pods[app] ?? 1); pod += 1) {
      const name = pod === 1 ? app : `${app}-${pod}`;
      const port = await ports.choose(preferred, POD_STEP);
      const log = join(logsDirectory, `${name}.log`);
      services.push({ name, app, role, port, url: `http://localhost:${port}`, log });
    }
  }
  return services;
}

/** What a service's configuration is made of. */
export interface Deployment {
  servers: ServerUrls;
  /** Where the servers of `--full` are, and what else is the same for all. */
  settings: Record<string, string>;
  /** URL with the login role of a service. */
  databaseUrl: string;
  secrets: DevelopmentSecrets;
  identityUrl: string;
  clientsFile: string;
  /** The caller's: keys of model providers, and settings that somebody tries. */
  environment: NodeJS.ProcessEnv;
}

/** The configuration of one service. */
export function environmentOf(service: Service, deployment: Deployment): Record<string, string> {
  const { servers, secrets } = deployment;
  return {
    // There is no collector on a developer's machine.
    OTEL_EXPORTER_OTLP_ENDPOINT: '',
    GATEWAY_REQUIRE_AUTH: 'true',
    DEFAULT_TENANT: TENANT,
    ...deployment.settings,
    ...callersSettings(deployment.environment),
    NODE_ENV: 'development',
    PORT: String(service.port),
    HOSTNAME: service.name,
    AUDIT_FALLBACK_FILE: join(stateDirectory, `audit-${service.name}.ndjson`),
    DATABASE_URL: deployment.databaseUrl,
    REDIS_URL: servers.redisUrl,
    KAFKA_BROKERS: servers.kafkaBrokers,
    SOMA_MASTER_KEY:
      service.app === 'connection-catalog' ? secrets.credentialsMasterKey : secrets.masterKey,
    IDENTITY_ISSUER: deployment.identityUrl,
    IDENTITY_URL: deployment.identityUrl,
    IDENTITY_CLIENTS_FILE: deployment.clientsFile,
    SERVICE_TOKEN_URL: `${deployment.identityUrl}/oauth/token`,
    SERVICE_CLIENT_SECRET: secrets.workerSecret,
  };
}

/**
 * What somebody set for the services when they started the stack. A service inherits the rest of the
 * environment too, but only these are written down for `nx serve` in another terminal.
 */
function callersSettings(environment: NodeJS.ProcessEnv): Record<string, string> {
  const isSetting =
    /_(API_KEY|MODEL|BASE_URL|CONNECTION_NAME)(_FILE)?$|^(OTEL|GATEWAY|INTEGRATIONS|RATE_LIMIT)_|^(DEFAULT_TENANT|LOG_LEVEL)$/;
  const settings = Object.entries(environment).filter(
    (entry): entry is [string, string] => isSetting.test(entry[0]) && entry[1] !== undefined,
  );
  return Object.fromEntries(settings);
}

/** The process of a service, which is ready when its own health says so. */
export function serviceProcess(service: Service, env: Record<string, string>): ServerProcess {
  mkdirSync(logsDirectory, { recursive: true });
  return new ServerProcess({
    name: service.name,
    command: process.execPath,
    args: ['--enable-source-maps', join(workspace, 'apps', service.app, 'dist/main.js')],
    env,
    logFile: service.log,
    stopSignal: 'SIGTERM',
    probe: async () => {
      const response = await fetch(`${service.url}/v1/health/ready`);
      if (!response.ok) throw new Error(`${service.name} answers ${response.status}`);
    },
  });
}
