import { hash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Controller,
  Get,
  Global,
  type INestApplication,
  Module,
  Query,
  Req,
  Res,
} from '@nestjs/common';
import { ACR, limitSettings, RateLimiter } from '@soma/auth';
import { createService } from '@soma/http';
import { loadConfig, Secret } from '@soma/kernel';
import { ConfigUpdates } from '@soma/messaging';
import { migrate } from '@soma/migrations';
import { PersistenceModule } from '@soma/persistence';
import { createTestDatabase, type TestDatabase } from '@soma/testing';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { AuditLog } from '../audit/audit-log.ts';
import { OPERATOR_TENANT } from '../tenancy/operator-tenant.ts';
import { AUDIT_RECORDER, AuditReports } from '../audit/audit-reports.ts';
import { MasterKeyModule } from '../master-key/master-key.module.ts';
import type { KeyLifetimes } from '../signing-keys/key-schedule.ts';
import { SigningKeysModule } from '../signing-keys/signing-keys.module.ts';
import { Members } from '../tenancy/members.ts';
import { Tenants } from '../tenancy/tenants.ts';
import { Users } from '../tenancy/users.ts';
import { Interactions } from './interactions.ts';
import { OAuthModule } from './oauth.module.ts';

export const ISSUER = 'https://id.example.com';
export const REDIRECT_URI = 'https://app.example.com/callback';
export const SERVICE_SECRET = randomBytes(32).toString('base64url');

const CLIENTS = [
  {
    client_id: 'robot',
    client_secret_hash: hash('sha256', SERVICE_SECRET),
    tenant_id: 'acme',
    scopes: ['sessions:read'],
    audiences: ['gateway'],
  },
  {
    type: 'ui',
    client_id: 'ui',
    name: 'Soma',
    redirect_uris: [REDIRECT_URI],
    scopes: ['sessions:read', 'sessions:write', 'members:write'],
    audiences: ['gateway', 'identity'],
  },
  {
    type: 'device',
    client_id: 'cli',
    name: 'The command line',
    scopes: ['sessions:read', 'sessions:write', 'members:write'],
    audiences: ['gateway'],
  },
];

/** Signs in whoever the address names, at once: sign-in itself is another feature. */
@Controller('api/auth/sign-in')
class SignInController {
  constructor(private readonly interactions: Interactions) {}

  @Get(':uid')
  async signIn(
    @Query('as') as: string | undefined,
    @Req() request: FastifyRequest<{ Params: { uid: string } }>,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const interaction = await this.interactions.find(request, reply);
    if (interaction.uid !== request.params.uid) throw new Error('another sign-in');
    if (as === undefined) {
      await this.interactions.refuse(request, reply, 'nobody');
    } else {
      const signIn = {
        userId: as,
        amr: ['fed', 'otp', 'mfa'],
        acr: ACR.twoFactors,
        provedAt: Math.floor(Date.now() / 1000),
      };
      await this.interactions.finish(request, reply, signIn);
    }
  }
}

/** Limits have tests of their own, and there is no Redis here. */
const unlimited = new RateLimiter(loadConfig(z.object(limitSettings), {}), {
  take: (_key, { limit }) => Promise.resolve({ granted: 1, remaining: limit, resetMs: 0 }),
});

/** What tokens need of other features. Their doors are not there, and no Kafka. */
@Global()
@Module({
  providers: [
    ...[AuditLog, AuditReports, Members, Tenants, Users],
    { provide: ConfigUpdates, useValue: new ConfigUpdates('identity') },
    { provide: OPERATOR_TENANT, useValue: 'soma' },
    { provide: RateLimiter, useValue: unlimited },
    // What is reported goes by Kafka.
    { provide: AUDIT_RECORDER, useValue: { record: () => undefined } },
  ],
  exports: [
    ...[AuditLog, AuditReports, ConfigUpdates, Members, OPERATOR_TENANT, RateLimiter, Tenants],
    Users,
  ],
})
class FeaturesModule {}

interface PodOptions {
  /** Of its signing keys. */
  lifetimes?: KeyLifetimes;
  /** Where browsers reach Soma. */
  apiBaseUrl?: string;
}

/** A database and the settings of the pods that share it. */
export class Deployment implements AsyncDisposable {
  private readonly running = new AsyncDisposableStack();
  private readonly masterKey = new Secret(randomBytes(32).toString('base64'));
  database!: TestDatabase;
  private clientsFile = '';

  static async start(): Promise<Deployment> {
    const deployment = new Deployment();
    deployment.database = deployment.running.use(await createTestDatabase());
    await migrate(new Secret(deployment.database.ownerUrl));
    const folder = await mkdtemp(join(tmpdir(), 'soma-oauth-'));
    deployment.running.defer(() => rm(folder, { recursive: true }));
    deployment.clientsFile = join(folder, 'clients.json');
    await writeFile(deployment.clientsFile, JSON.stringify(CLIENTS));
    return deployment;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.running.disposeAsync();
  }

  async startPod({
    lifetimes,
    apiBaseUrl = 'https://api.example.com',
  }: PodOptions = {}): Promise<INestApplication> {
    const url = new Secret(await this.database.loginUrl('identity'));
    const { clientsFile, masterKey } = this;

    @Module({
      imports: [
        PersistenceModule.connect({ url, sweepRole: 'identity_sweep' }),
        MasterKeyModule.configure(masterKey),
        FeaturesModule,
        SigningKeysModule.configure(undefined, lifetimes),
        OAuthModule.configure({ issuer: ISSUER, apiBaseUrl, clientsFile }),
      ],
      controllers: [SignInController],
    })
    class PodModule {}

    const pod = await createService(PodModule);
    this.running.defer(() => pod.close());
    await pod.listen(0, '127.0.0.1');
    return pod;
  }

  /** A person, and what they are in which tenants. */
  async addPerson(roles: Record<string, string>): Promise<string> {
    const userId = randomUUID();
    await this.database.execute(
      `INSERT INTO identity.users (user_id, email, email_verified_at, display_name)
       VALUES ($1, $2, now(), 'Ann')`,
      [userId, `${userId}@example.com`],
    );
    for (const [tenant, role] of Object.entries(roles)) {
      await this.database.execute(
        `INSERT INTO identity.tenants (tenant_id, name) VALUES ($1, $1) ON CONFLICT DO NOTHING`,
        [tenant],
      );
      await this.database.execute(
        `INSERT INTO identity.members (tenant_id, user_id, role) VALUES ($1, $2, $3)`,
        [tenant, userId, role],
      );
    }
    return userId;
  }
}

/** The claims of a token, unverified. */
export function claimsOf(token: string): Record<string, unknown> {
  const [, claims = ''] = token.split('.');
  return JSON.parse(Buffer.from(claims, 'base64url').toString()) as Record<string, unknown>;
}
