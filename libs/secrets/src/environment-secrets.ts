import { loadConfig, Problem, type Secret, secretSetting } from '@soma/kernel';
import { z } from 'zod';
import type { SecretBackend, SecretLocation } from './secret-backend.ts';

/** Small letters and digits, with single dashes or underscores between them. */
const PART = /^[a-z0-9]+([-_][a-z0-9]+)*$/;

/**
 * Reads secrets from the environment of the process, for installations whose operator has few
 * connections and another way to fill variables. It has one version of each, and changes none.
 */
export class EnvironmentSecrets implements SecretBackend {
  readonly type = 'env_var';

  constructor(private readonly environment: Readonly<Record<string, string | undefined>>) {}

  write(location: SecretLocation): Promise<number> {
    const name = variableOf(location) ?? 'SOMA_SECRET__<TENANT>__<CONNECTION>__<FIELD>';
    return Promise.reject(
      new Problem({
        status: 409,
        code: 'secret_backend_read_only',
        detail: `Credentials are kept in the environment of this installation. Set ${name} there and leave the value out.`,
      }),
    );
  }

  /** Whether the operator has set one there. */
  has(location: SecretLocation): boolean {
    const name = variableOf(location);
    const isSet = (variable: string): boolean => (this.environment[variable] ?? '') !== '';
    return name !== undefined && (isSet(name) || isSet(`${name}_FILE`));
  }

  async read(location: SecretLocation, version = 1): Promise<Secret | undefined> {
    const name = variableOf(location);
    if (name === undefined || version !== 1) return Promise.resolve(undefined);
    // As every other secret setting: a file that <NAME>_FILE names does as well.
    const schema = z.object({ [name]: secretSetting.optional() });
    return Promise.resolve(loadConfig(schema, this.environment)[name]);
  }

  /** The variable stays: it is not ours. */
  delete(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * `SOMA_SECRET__ACME__OUR_GITHUB__TOKEN`. Two places must never share a variable, so what could be
 * written in two ways has none: a tenant with capitals, dots or underscores, a name with two dashes
 * in a row, or a field with dashes.
 */
function variableOf({ tenantId, connection, field }: SecretLocation): string | undefined {
  const isPlain =
    ![tenantId, connection].some((part) => part.includes('_')) && !field.includes('-');
  const parts = [tenantId, connection, field];
  if (!isPlain || !parts.every((part) => PART.test(part))) return undefined;
  return ['soma-secret', ...parts].join('__').replaceAll('-', '_').toUpperCase();
}
