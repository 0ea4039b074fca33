import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, TransientError } from '@soma/kernel';
import { isMotoInstalled, startMoto } from '@soma/testing';
import { AwsSecrets } from './aws-secrets.ts';
import { describeSecretBackendContract } from './secret-backend.contract.ts';

(isMotoInstalled() ? describe : describe.skip)('AwsSecrets', () => {
  const running = new AsyncDisposableStack();
  let endpoint: string;

  beforeAll(async () => {
    endpoint = running.use(await startMoto()).url;
  });
  afterAll(() => running.disposeAsync());

  const backendAt = (address: string): AwsSecrets =>
    new AwsSecrets({
      endpoint: address,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
      maxAttempts: 1,
    });

  describeSecretBackendContract(() => backendAt(endpoint));

  it('tells that AWS does not answer, and no secret (P8)', async () => {
    const location = { tenantId: 'acme', connection: randomUUID(), field: 'token' };
    const failure: unknown = await backendAt('http://127.0.0.1:1')
      .write(location, new Secret('canary'))
      .catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(TransientError);
    expect(JSON.stringify(failure) + String(failure)).not.toContain('canary');
  });
});
