import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createService } from '@soma/http';
import { loadConfig, Secret } from '@soma/kernel';
import { KafkaConsumers } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { createTestDatabase, createTestKafka, type TestDatabase } from '@soma/testing';
import { AppModule } from '../app.module.ts';
import { identityConfig } from '../identity.config.ts';
import type { ProviderEndpoints } from '../sign-in/providers/provider-endpoints.ts';
import { KeyRing } from '../signing-keys/key-ring.ts';
import { makeTopics } from '../spec-support.ts';

export const ISSUER = 'https://id.example.com';
export const REDIRECT_URI = 'https://app.example.com/callback';

/** Of the program `robot`, which is of the tenant acme. */
export const ROBOT_SECRET = randomBytes(32).toString('base64url');

const CLIENTS = [
  {
    client_id: 'robot',
    client_secret_hash: hash('sha256', ROBOT_SECRET),
    tenant_id: 'acme',
    scopes: ['sessions:read', 'api_keys:write'],
    audiences: ['gateway'],
  },
  {
    type: 'ui',
    client_id: 'ui',
    name: 'Soma',
    redirect_uris: [REDIRECT_URI],
    scopes: ['sessions:read', 'api_keys:write'],
    audiences: ['gateway'],
  },
];

const DEFAULT_SCOPE = 'sessions:read api_keys:write';

/** Somebody, and what they are where. */
export interface Person {
  user_id: string;
  email: string;
  tenant_id: string;
  role: string;
}

/** What a person's token says of their sign-in. */
export interface TestSignIn {
  amr?: string[];
  /** Default: now. */
  authenticatedAt?: number;
  scope?: string;
  clientId?: string;
}

/** What one pod answers. */
export interface Answer {
  status: number;
  headers: Headers;
  body: Record<string, unknown>;
}

/** A database, and the identity pods that share it. */
export class IdentityDeployment implements AsyncDisposable {
  private readonly running = new AsyncDisposableStack();
  private readonly masterKey = randomBytes(32).toString('base64');
  private readonly kafka = this.running.use(createTestKafka());
  private clientsFile = '';
  database!: TestDatabase;

  static async start(): Promise<IdentityDeployment> {
    const deployment = new IdentityDeployment();
    const { running } = deployment;
    deployment.database = running.use(await createTestDatabase());
    const { kafka, database } = deployment;
    await Promise.all([migrate(new Secret(database.ownerUrl)), makeTopics(kafka)]);
    const folder = await mkdtemp(join(tmpdir(), 'soma-people-'));
    running.defer(() => rm(folder, { recursive: true }));
    deployment.clientsFile = join(folder, 'clients.json');
    await writeFile(deployment.clientsFile, JSON.stringify(CLIENTS));
    return deployment;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.running.disposeAsync();
  }

  /** @param hasConsumers - Whether it hears of what is on the topics, as the service does. */
  async startPod(
    settings: Record<string, string> = {},
    endpoints?: ProviderEndpoints,
    hasConsumers = false,
  ): Promise<Pod> {
    const config = loadConfig(identityConfig, {
      DATABASE_URL: await this.database.loginUrl('identity'),
      IDENTITY_ISSUER: ISSUER,
      IDENTITY_CLIENTS_FILE: this.clientsFile,
      SOMA_MASTER_KEY: this.masterKey,
      KAFKA_BROKERS: this.kafka.brokers,
      KAFKA_TOPIC_PREFIX: this.kafka.topicPrefix,
      // All tests of a file come from one address. Limits have tests of their own.
      RATE_LIMIT_SIGN_IN_PER_15_MINUTES: '100000',
      RATE_LIMIT_SIGN_IN_ADDRESS_PER_15_MINUTES: '100000',
      ...settings,
    });
    const service = await createService(AppModule.configure(config, endpoints));
    this.running.defer(() => service.close());
    if (hasConsumers) {
      service.connectMicroservice({ strategy: service.get(KafkaConsumers) });
      await service.startAllMicroservices();
    }
    await service.listen(0, '127.0.0.1');
    return new Pod(service, await service.getUrl());
  }

  /** A person in one tenant, or in none. */
  async addPerson(role = 'member', tenant_id = 'acme'): Promise<Person> {
    const user_id = randomUUID();
    const email = `${user_id}@example.com`;
    await this.database.execute(
      `INSERT INTO identity.users (user_id, email, email_verified_at, display_name)
       VALUES ($1, $2, now(), 'Ann')`,
      [user_id, email],
    );
    await this.addMember(user_id, role, tenant_id);
    return { user_id, email, role, tenant_id };
  }

  async addMember(user_id: string, role: string, tenant_id: string): Promise<void> {
    await this.database.execute(
      `INSERT INTO identity.tenants (tenant_id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING`,
      [tenant_id],
    );
    await this.database.execute(
      `INSERT INTO identity.members (tenant_id, user_id, role) VALUES ($1, $2, $3)`,
      [tenant_id, user_id, role],
    );
  }

  /** What the audit log of a tenant says of how a person signs in, in order. Tokens are left out. */
  async auditOf({ user_id, tenant_id }: Pick<Person, 'user_id' | 'tenant_id'>): Promise<unknown[]> {
    const rows = await this.database.execute(
      `SELECT action, outcome, details FROM audit.audit_log
        WHERE tenant_id = $1 AND target_id = $2
          AND action ~ '^(account|sign_in|second_factor|recovery_codes)\\.' ORDER BY seq`,
      [tenant_id, user_id],
    );
    return rows.map(({ action, outcome, details }) => [action, outcome, details]);
  }
}

/** One pod. */
export class Pod {
  constructor(
    readonly service: Awaited<ReturnType<typeof createService>>,
    readonly url: string,
  ) {}

  /** An access token as this pod issues them, for a sign-in as the test wants it. */
  async tokenOf(
    person: Omit<Person, 'role'> & { role: string | undefined },
    signIn: TestSignIn = {},
  ): Promise<string> {
    const { signing } = this.service.get(KeyRing, { strict: false }).now();
    const now = Math.floor(Date.now() / 1000);
    const { amr = ['fed'], authenticatedAt = now } = signIn;
    const { scope = DEFAULT_SCOPE, clientId: client_id = 'ui' } = signIn;
    const claims = {
      iss: ISSUER,
      aud: 'gateway',
      sub: person.user_id,
      tenant: person.tenant_id,
      role: person.role,
      scope,
      client_id,
      amr,
      auth_time: authenticatedAt,
      jti: randomUUID(),
      iat: now,
      exp: now + 300,
    };
    const input = [{ alg: 'ES256', kid: signing.kid, typ: 'at+jwt' }, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    const signature = await signing.sign(Buffer.from(input));
    return `${input}.${Buffer.from(signature).toString('base64url')}`;
  }

  async ask(
    token: string,
    path: string,
    init: { method?: string; body?: unknown } = {},
  ): Promise<Answer> {
    const { method = 'GET', body } = init;
    const answer = await fetch(new URL(path, this.url), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const parsed = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>;
    return { status: answer.status, headers: answer.headers, body: parsed };
  }

  post(token: string, path: string, body?: unknown): Promise<Answer> {
    return this.ask(token, path, { method: 'POST', body });
  }
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  const [, claims = ''] = token.split('.');
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
}
