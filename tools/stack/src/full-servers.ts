import { generateKeyPairSync } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { goTool, type GoTool, startObjectStorage, startOpa, startOpenFga } from '@soma/testing';
import { runNode } from './build.ts';
import { stateDirectory, writePrivately } from './paths.ts';
import type { PortChooser } from './ports.ts';
import type { DevelopmentSecrets } from './secrets.ts';
import type { Servers } from './servers.ts';

const BUCKET = 'attachments';
const STORAGE_ACCOUNT = 'soma';
const OPENFGA_DATABASE = 'openfga';
const BUNDLE = 'somaagent01';
const POLICIES_LIMIT_MS = 30_000;

const policyDirectory = join(stateDirectory, 'policy');
const signingKey = join(policyDirectory, 'signing-key.pem');
const publicKey = join(policyDirectory, 'public-key.pem');
const bundle = join(policyDirectory, `${BUNDLE}.tar.gz`);

/** What the servers of `--full` are made with. */
export interface FullServersOptions {
  environment: NodeJS.ProcessEnv;
  ports: PortChooser;
  secrets: DevelopmentSecrets;
  /** Where the policy agent fetches its bundle. */
  identityUrl: string;
}

/**
 * The servers that `npm start -- --full` adds: those of access control, and storage for attachments. As
 * with the others, one that the environment names is used and not started.
 */
export class FullServers {
  readonly #servers: Servers;
  readonly #options: FullServersOptions;

  constructor(servers: Servers, options: FullServersOptions) {
    this.#servers = servers;
    this.#options = options;
  }

  /** Builds what is not installed, one after the other. */
  async prepare(): Promise<void> {
    const needed: [GoTool, string][] = [
      ['opa', 'OPA_URL'],
      ['openfga', 'OPENFGA_API_URL'],
      ['versitygw', 'STORAGE_ENDPOINT'],
    ];
    for (const [tool, variable] of needed) {
      if (!this.#options.environment[variable]) await goTool(tool);
    }
  }

  /** The policies of this checkout, in a signed bundle that identity serves and the agent verifies. */
  async startOpa(): Promise<void> {
    if (this.#isGiven('OPA_URL')) return;
    await this.#buildBundle();
    const configurationFile = join(policyDirectory, 'agent.json');
    await writePrivately(configurationFile, await this.#agentConfiguration());
    const server = await startOpa({
      configurationFile,
      directory: join(stateDirectory, 'opa'),
      port: await this.#options.ports.choose(8181, 1),
    });
    this.#servers.started.set('opa', server);
    Object.assign(this.#servers.settings, { OPA_URL: server.url, POLICY_BUNDLE_FILE: bundle });
  }

  /** Resolves when our own agent has fetched and verified its bundle. */
  async policiesAreLoaded(): Promise<void> {
    const agent = this.#servers.started.get('opa');
    if (agent === undefined) return;
    const deadline = Date.now() + POLICIES_LIMIT_MS;
    while (!(await isLoaded(agent.port))) {
      if (Date.now() > deadline) throw new Error('OPA took no policies: see .soma/opa/server.log.');
      await delay(100);
    }
  }

  /** On the stack's PostgreSQL, in a database of its own with a role of its own. */
  async startOpenFga(): Promise<void> {
    if (this.#isGiven('OPENFGA_API_URL')) return;
    const server = await startOpenFga({
      postgresUrl: await this.#openFgaDatabase(),
      directory: join(stateDirectory, 'openfga'),
      // Not its default: that is identity's.
      port: await this.#options.ports.choose(8090, 1),
    });
    this.#servers.started.set('openfga', server);
    this.#servers.settings['OPENFGA_API_URL'] = server.url;
  }

  async startStorage(): Promise<void> {
    const { environment, ports, secrets } = this.#options;
    const bucket = environment['STORAGE_BUCKET'] ?? BUCKET;
    this.#servers.settings['STORAGE_BUCKET'] = bucket;
    if (this.#isGiven('STORAGE_ENDPOINT')) return;
    const server = await startObjectStorage({
      bucket,
      accessKeyId: STORAGE_ACCOUNT,
      secretAccessKey: secrets.storageSecret,
      directory: join(stateDirectory, 'storage'),
      port: await ports.choose(7070, 1),
    });
    this.#servers.started.set('storage', server);
    Object.assign(this.#servers.settings, {
      STORAGE_ENDPOINT: server.url,
      STORAGE_ACCESS_KEY_ID: STORAGE_ACCOUNT,
      STORAGE_SECRET_ACCESS_KEY: secrets.storageSecret,
    });
  }

  /** What the environment names is the services' as it stands. */
  #isGiven(variable: string): boolean {
    const value = this.#options.environment[variable];
    if (value) this.#servers.settings[variable] = value;
    return Boolean(value);
  }

  async #buildBundle(): Promise<void> {
    if (!existsSync(signingKey)) {
      const pair = generateKeyPairSync('ec', {
        namedCurve: 'P-256',
        privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
        publicKeyEncoding: { type: 'spki', format: 'pem' },
      });
      await mkdir(policyDirectory, { recursive: true });
      await writeFile(publicKey, pair.publicKey);
      await writeFile(signingKey, pair.privateKey, { mode: 0o600 });
    }
    const tool = ['--conditions=@soma/source', 'tools/policy/src/main.ts', 'build'];
    await runNode([...tool, '--signing-key', signingKey, '--output', bundle]);
  }

  async #agentConfiguration(): Promise<object> {
    const polling = { min_delay_seconds: 1, max_delay_seconds: 2 };
    return {
      services: { identity: { url: this.#options.identityUrl } },
      keys: { [BUNDLE]: { algorithm: 'ES256', key: await readFile(publicKey, 'utf8') } },
      bundles: {
        [BUNDLE]: {
          service: 'identity',
          resource: `/policy/bundles/${BUNDLE}.tar.gz`,
          polling,
          signing: { keyid: BUNDLE },
        },
      },
    };
  }

  async #openFgaDatabase(): Promise<string> {
    const { database } = this.#servers;
    const [known] = await database.execute('SELECT FROM pg_database WHERE datname = $1', [
      OPENFGA_DATABASE,
    ]);
    if (!known) {
      await database.execute(`CREATE ROLE ${OPENFGA_DATABASE}`);
      await database.execute(`CREATE DATABASE ${OPENFGA_DATABASE} OWNER ${OPENFGA_DATABASE}`);
    }
    const url = new URL(await database.loginUrl(OPENFGA_DATABASE));
    url.pathname = `/${OPENFGA_DATABASE}`;
    return url.href;
  }
}

async function isLoaded(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/health?bundles`).then(
    ({ ok }) => ok,
    () => false,
  );
}
