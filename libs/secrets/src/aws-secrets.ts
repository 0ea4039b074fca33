import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  type DescribeSecretResponse,
  GetSecretValueCommand,
  InvalidRequestException,
  PutSecretValueCommand,
  ResourceExistsException,
  ResourceNotFoundException,
  SecretsManagerClient,
  type SecretsManagerClientConfig,
  SecretsManagerServiceException,
} from '@aws-sdk/client-secrets-manager';
import { Secret, sleep, TransientError } from '@soma/kernel';
import type { SecretBackend, SecretLocation } from './secret-backend.ts';

/** How often somebody else may take the version that a write wanted, or AWS still deletes the one before. */
const TRIES = 10;
/** AWS deletes a secret by and by, and has no new one of its name meanwhile. */
const DELETION_PAUSE_MS = 500;

/** Its client would wait for an answer for ever. */
const TIMEOUTS = { connectionTimeout: 3_000, requestTimeout: 5_000, throwOnRequestTimeout: true };

/**
 * Keeps secrets in AWS Secrets Manager.
 *
 * AWS names versions by the token of the request that made them (`ClientRequestToken`). Ours is the
 * number of the version, so that two that write at once never both get it: AWS refuses another value
 * under a token that it has seen.
 */
export class AwsSecrets implements SecretBackend {
  readonly type = 'aws_secrets_manager';
  readonly #client: SecretsManagerClient;

  /** @param config - Without it AWS's own variables, files and roles say where and as whom. */
  constructor(config: SecretsManagerClientConfig = {}) {
    this.#client = new SecretsManagerClient({ requestHandler: TIMEOUTS, ...config });
  }

  async write(location: SecretLocation, value: Secret): Promise<number> {
    const name = nameOf(location);
    for (let tries = 0; tries < TRIES; tries += 1) {
      const secret = await orUndefined(
        this.#client.send(new DescribeSecretCommand({ SecretId: name })),
      );
      const version = newestOf(secret) + 1;
      const isDeleted = secret?.DeletedDate !== undefined;
      if (!isDeleted && (await this.#store(name, { version, value }))) return version;
      if (isDeleted) await sleep(DELETION_PAUSE_MS);
    }
    throw new TransientError(
      'A write to AWS, which others came before or which deletes the secret,',
    );
  }

  async read(location: SecretLocation, version?: number): Promise<Secret | undefined> {
    const command = new GetSecretValueCommand({
      SecretId: nameOf(location),
      ...(version !== undefined && { VersionId: tokenOf(version) }),
    });
    const answer = await orUndefined(this.#client.send(command));
    return answer?.SecretString === undefined ? undefined : new Secret(answer.SecretString);
  }

  /** At once, and not after the days in which AWS would bring it back. */
  async delete(location: SecretLocation, signal?: AbortSignal): Promise<void> {
    const command = new DeleteSecretCommand({
      SecretId: nameOf(location),
      ForceDeleteWithoutRecovery: true,
    });
    await orUndefined(this.#client.send(command, { ...(signal && { abortSignal: signal }) }));
  }

  /** False where it is to be tried again: somebody else has taken the version, or AWS still deletes it. */
  async #store(
    name: string,
    { version, value }: { version: number; value: Secret },
  ): Promise<boolean> {
    const content = { ClientRequestToken: tokenOf(version), SecretString: value.reveal() };
    try {
      await translated(
        version === 1
          ? this.#client.send(new CreateSecretCommand({ Name: name, ...content }))
          : this.#client.send(new PutSecretValueCommand({ SecretId: name, ...content })),
      );
      return true;
    } catch (error) {
      if (error instanceof ResourceExistsException) return false;
      if (isBeingDeleted(error)) {
        await sleep(DELETION_PAUSE_MS);
        return false;
      }
      throw error;
    }
  }
}

/** 0 while there is no secret. AWS labels the newest version, and the one before it. */
function newestOf(secret: DescribeSecretResponse | undefined): number {
  return Math.max(0, ...Object.keys(secret?.VersionIdsToStages ?? {}).map(Number));
}

/** None of its parts has a slash. */
function nameOf({ tenantId, connection, field }: SecretLocation): string {
  return `soma/${tenantId}/${connection}/${field}`;
}

/** AWS wants at least 32 characters. */
function tokenOf(version: number): string {
  return String(version).padStart(32, '0');
}

async function orUndefined<Answer>(answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await translated(answer);
  } catch (error) {
    if (error instanceof ResourceNotFoundException || isBeingDeleted(error)) return undefined;
    throw error;
  }
}

async function translated<Answer>(answer: Promise<Answer>): Promise<Answer> {
  try {
    return await answer;
  } catch (error) {
    throw isTransient(error) ? new TransientError('A request to AWS', { cause: error }) : error;
  }
}

/** AWS has one exception for all that a secret's state forbids, and says which in a sentence. */
function isBeingDeleted(error: unknown): boolean {
  return error instanceof InvalidRequestException && /delet/i.test(error.message);
}

/** What its client has tried again in vain: AWS does not answer, has a fault, or is asked too often. */
function isTransient(error: unknown): boolean {
  if (error instanceof SecretsManagerServiceException) {
    return error.$fault === 'server' || error.name === 'ThrottlingException';
  }
  // Else it never got there, unless it did not even know as whom.
  return (error as Error).name !== 'CredentialsProviderError';
}
