import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { createService } from '@soma/http';
import { startTokenIssuer, type TestTokenIssuer } from '@soma/testing';
import { Access } from './access/access.decorator.ts';
import { AuthModule } from './auth.module.ts';
import type { KeySource } from './keys/key-source.ts';
import { KeysAtUrl } from './keys/remote-keys.ts';

@Controller('v1')
class ProbeController {
  @Get('models')
  @Access({ scope: 'models:read', resource: 'model' })
  models(): string {
    return 'models';
  }
}

const SIGNATURE_BYTES = 2_048;

/**
 * Of the issuer, and the slowest to verify by: with it checks take longer than all that is around them,
 * so that they are what requests wait for. Nothing was ever signed with it.
 */
const SLOW_KEY = {
  ...{ kty: 'RSA', kid: 'slow', alg: 'RS256', use: 'sig' },
  n: Buffer.alloc(SIGNATURE_BYTES, 0xff).toString('base64url'),
  e: Buffer.alloc(8, 0xff).toString('base64url'),
};

/** Bad requests that are open at any time. */
const FLOOD = 100;
const GOOD = 10;

describe('a flood of bad credentials', () => {
  const running = new AsyncDisposableStack();
  let issuer: TestTokenIssuer;
  let service: INestApplication;
  let url: string;

  beforeAll(async () => {
    issuer = running.use(await startTokenIssuer());
    const published = new KeysAtUrl(issuer.jwksUrl);
    const keys: KeySource = {
      ...{ place: published.place, isOurs: false },
      read: async (signal) => [...(await published.read(signal)), SLOW_KEY],
    };
    const authentication = AuthModule.verify({
      ...{ issuer: issuer.url, keys, audience: 'gateway' },
      ...{ tenantClaims: ['tenant'], requireAuth: true, defaultTenant: 'acme' },
    });

    @Module({ imports: [authentication], controllers: [ProbeController] })
    class ProbeModule {}

    const config = { SOMA_VERSION: '0', HEALTH_HTTP_DEPENDENCIES: [] };
    service = await createService(ProbeModule, {
      config: { ...config, TRUSTED_PROXIES: ['127.0.0.1'] },
    });
    running.defer(() => service.close());
    await service.listen(0, '127.0.0.1');
    url = `${await service.getUrl()}/v1/models`;
  });

  afterAll(() => running.disposeAsync());

  async function send(token: string, from: string): Promise<number> {
    const headers = { authorization: `Bearer ${token}`, 'x-forwarded-for': from };
    const response = await fetch(url, { headers });
    await response.body?.cancel();
    return response.status;
  }

  it('does not keep those waiting who come from elsewhere', async () => {
    // Each of them new to the service, so that each costs a signature.
    const good = await Promise.all(
      Array.from({ length: GOOD }, (_, index) =>
        issuer.tokenFor('acme', 'gateway', { subject: `agent-${index}` }),
      ),
    );
    const [, payload = ''] = (await issuer.tokenFor('acme', 'gateway')).split('.');
    const header = Buffer.from('{"alg":"RS256","kid":"slow"}').toString('base64url');
    const forge = (): string =>
      `${header}.${payload}.${randomBytes(SIGNATURE_BYTES).toString('base64url')}`;
    const refused = new Map<number, number>();
    let isOver = false;
    const bombard = async (): Promise<void> => {
      while (!isOver) {
        const status = await send(forge(), '192.0.2.1');
        refused.set(status, (refused.get(status) ?? 0) + 1);
      }
    };
    const answered = (): number => refused.get(401) ?? 0;

    const flood = Array.from({ length: FLOOD }, bombard);
    while (answered() < FLOOD) await new Promise(setImmediate);
    let meanwhile = 0;
    for (const token of good) {
      const before = answered();
      expect(await send(token, '198.51.100.7')).toBe(200);
      meanwhile += answered() - before;
    }
    isOver = true;
    await Promise.all(flood);

    expect([...refused.keys()]).toEqual([401]);
    // Behind all that wait it would be the whole flood, each time.
    expect(meanwhile / GOOD).toBeLessThan(FLOOD / 2);
  });
});
