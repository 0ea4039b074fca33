import { randomUUID } from 'node:crypto';
import {
  DeleteSecretCommand,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
} from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, sleep, TransientError } from '@soma/kernel';
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

  const configOf = (address: string): SecretsManagerClientConfig => ({
    endpoint: address,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  const backendAt = (address: string): AwsSecrets => new AwsSecrets(configOf(address));

  describeSecretBackendContract(() => backendAt(endpoint));

  it('waits while AWS still deletes the secret of the name', async () => {
    const location = { tenantId: 'acme', connection: randomUUID(), field: 'token' };
    const backend = backendAt(endpoint);
    await backend.write(location, new Secret('before'));
    const SecretId = `soma/acme/${location.connection}/token`;
    const client = new SecretsManagerClient(configOf(endpoint));
    // Marked and still there, as every secret is for a while after it was deleted.
    await client.send(new DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }));
    expect(await backend.read(location)).toBeUndefined();

    const writing = backend.write(location, new Secret('after'));
    await Promise.race([writing, sleep(300)]);
    await client.send(new DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));

    await writing;
    expect((await backend.read(location))?.reveal()).toBe('after');
  });

  it('tells that AWS does not answer, and no secret (P8)', async () => {
    const location = { tenantId: 'acme', connection: randomUUID(), field: 'token' };
    const failure: unknown = await backendAt('http://127.0.0.1:1')
      .write(location, new Secret('canary'))
      .catch((error: unknown) => error);

    expect(failure).toBeInstanceOf(TransientError);
    expect(JSON.stringify(failure) + String(failure)).not.toContain('canary');
  });
});
