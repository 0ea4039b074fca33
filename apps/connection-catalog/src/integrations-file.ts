/*
 * The block `integrations:` as a file of YAML. Each of its values is the variable of the environment
 * whose name is made of its path, so that there is one schema, one set of defaults and one list of
 * faults; a variable that is set goes before the file.
 *
 *   integrations:
 *     oauth:
 *       pkce_required: false        is INTEGRATIONS_OAUTH_PKCE_REQUIRED=false
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { ConfigError, loadConfig } from '@soma/kernel';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { type CatalogConfig, catalogConfig } from './catalog.config.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What a file says, and what is wrong with it. */
interface FileSettings {
  values: Record<string, string>;
  faults: string[];
}

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const list = z.array(scalar).transform((values) => values.join(','));
const block = z.record(z.string(), z.unknown());
const file = z.strictObject({ integrations: block });

/**
 * Reads the settings from the environment, and from the file that `INTEGRATIONS_CONFIG_FILE` names.
 *
 * @throws {@link ConfigError} that lists every bad variable and every bad key of the file.
 */
export function loadCatalogConfig(environment: Environment = process.env): CatalogConfig {
  const { INTEGRATIONS_CONFIG_FILE: path = '' } = environment;
  const { values, faults } = path === '' ? { values: {}, faults: [] } : readFile(path);
  const lines: string[] = [];
  try {
    // What is empty gives way to the file; without one, it may be a value.
    const set = { ...environment, ...values, ...withoutEmpty(environment) };
    const config = loadConfig(catalogConfig, set);
    if (faults.length === 0) {
      return config;
    }
  } catch (error) {
    if (!(error instanceof ConfigError)) {
      throw error;
    }
    lines.push(error.message);
  }
  if (faults.length > 0) {
    lines.push(`Correct ${path} and start again:`, ...faults.map((fault) => `  ${fault}`));
  }
  throw new ConfigError(lines.join('\n'));
}

function readFile(path: string): FileSettings {
  const settings: FileSettings = { values: {}, faults: [] };
  try {
    const document = parseDocument(readFileSync(path, 'utf8'));
    const [broken] = document.errors;
    if (broken !== undefined) {
      throw new Error(`is not YAML: ${broken.code} in line ${broken.linePos?.[0].line ?? '?'}`);
    }
    const { integrations } = file.parse(document.toJS() ?? {});
    collect(integrations, ['integrations'], settings);
  } catch (error) {
    settings.faults.push(toFault(error));
  }
  return settings;
}

function toFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return error instanceof z.ZodError
    ? 'has one key, integrations:, with settings below it'
    : (code ?? message);
}

/** Every value below a block, under the name of its variable. */
function collect(values: Record<string, unknown>, path: string[], into: FileSettings): void {
  for (const [key, value] of Object.entries(values)) {
    const inner = block.safeParse(value);
    if (inner.success) {
      collect(inner.data, [...path, key], into);
    } else {
      addValue(value, [...path, key], into);
    }
  }
}

function addValue(value: unknown, path: string[], { values, faults }: FileSettings): void {
  const name = path.join('_').toUpperCase();
  const text = z.union([scalar, list]).safeParse(value);
  const isOurs = Object.hasOwn(catalogConfig.shape, name) && /^[a-z_]+$/.test(path.join(''));
  if (!isOurs) {
    faults.push(`${path.join('.')}: is not a setting`);
  } else if (text.success) {
    values[name] = text.data;
  } else if (value !== null) {
    faults.push(`${path.join('.')}: must be a single value or a list of them`);
  }
}

/** An empty variable counts as unset: what the file says stands. */
function withoutEmpty(environment: Environment): Environment {
  return Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
}
