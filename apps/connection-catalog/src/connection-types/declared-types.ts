import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { urlBelow } from '@soma/connections';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { type ConnectionType, secretField, textField, urlField } from './connection-type.ts';
import { builtInTypes } from './registry.ts';

/** The types that come with the service. */
const SHIPPED = join(import.meta.dirname, '../../types');

const name = z.string().regex(/^[a-z0-9_]{1,64}$/, 'must be 1 to 64 of a-z, 0-9 and _');
/** RFC 9110 §5.6.2. */
const headerName = z
  .string()
  .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header')
  .transform((text) => text.toLowerCase());
const path = z.string().startsWith('/', 'must begin with /');

const fieldSchema = z.strictObject({
  description: z.string().min(1),
  secret: z.boolean().default(false),
  required: z.boolean().default(true),
  format: z.enum(['text', 'url']).default('text'),
  default: z.string().optional(),
});
type FieldSpec = z.output<typeof fieldSchema>;

const placeSchema = z.discriminatedUnion('in', [
  z.strictObject({
    in: z.literal('header'),
    field: name,
    name: headerName,
    prefix: z.string().optional(),
  }),
  z.strictObject({ in: z.literal('query'), field: name, name: z.string().min(1) }),
  // Something of its own stands before it: a part that is but dots would lead upwards.
  z.strictObject({ in: z.literal('path'), field: name, prefix: path.regex(/[a-z0-9]$/i) }),
  z.strictObject({ in: z.literal('basic'), username: name.optional(), password: name }),
]);

const declarationSchema = z.strictObject({
  type: name,
  title: z.string().min(1),
  description: z.string().min(1),
  fields: z.record(name, fieldSchema),
  /** The field that says where the service is, or where everybody's is. */
  base_url: z.union([z.strictObject({ field: name }), z.url({ protocol: /^https$/ })]),
  credentials: z.array(placeSchema),
  headers: z.record(headerName, z.string()).default({}),
  /** One request that changes nothing: hence no other methods. */
  health: z.strictObject({
    method: z.enum(['GET', 'HEAD']).default('GET'),
    path,
    accepts: z.array(z.int().min(100).max(499)).default([]),
    must_be_true: name.optional(),
  }),
  default_rate_rpm: z.int().min(1).max(1_000_000),
  concurrency: z.int().min(1).max(1_000).optional(),
  /** Requests go to what begins with one of these, and nowhere else. */
  allowed_paths: z.array(path).min(1),
});
type Declaration = z.output<typeof declarationSchema>;

/** What a folder of declarations holds, and all that is wrong with it. */
export interface DeclaredTypes {
  types: ConnectionType[];
  /** Each with its file, as in `crm.yaml: health.path: must begin with /`. */
  faults: string[];
}

/** Reads the types that come with the service, and those of the operator's folder. */
export function readDeclaredTypes(folder?: string): DeclaredTypes {
  const all = [SHIPPED, ...(folder === undefined ? [] : [folder])].map(readFolder);
  const types = all.flatMap((each) => each.types);
  const names = [...builtInTypes.map((type) => type.name), ...types.map((type) => type.name)];
  const twice = new Set(names.filter((each, index) => names.indexOf(each) !== index));
  const faults = [...twice].map((each) => `the type ${each} is there twice`);
  return { types, faults: [...all.flatMap((each) => each.faults), ...faults] };
}

function readFolder(folder: string): DeclaredTypes {
  const read: DeclaredTypes = { types: [], faults: [] };
  for (const file of filesOf(folder, read.faults)) {
    const { type, faults } = readDeclaration(readFileSync(join(folder, file), 'utf8'));
    read.types.push(...(type === undefined ? [] : [type]));
    read.faults.push(...faults.map((fault) => `${file}: ${fault}`));
  }
  return read;
}

function filesOf(folder: string, faults: string[]): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => /\.ya?ml$/.test(file))
      .sort();
  } catch (error) {
    faults.push(
      `the folder cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`,
    );
    return [];
  }
}

/** Makes a type of a declaration, or says everything that is wrong with it. */
export function readDeclaration(text: string): { type?: ConnectionType; faults: string[] } {
  const document = parseDocument(text);
  const [unreadable] = document.errors;
  if (unreadable !== undefined) {
    return { faults: document.errors.map(({ message }) => message.replace(/\s*\n[^]*/, '')) };
  }
  const { success, data, error } = declarationSchema.safeParse(document.toJS());
  if (!success) {
    return {
      faults: error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    };
  }
  const faults = faultsOf(data);
  return faults.length > 0 ? { faults } : { type: toType(data), faults };
}

/** What is wrong although each part is right. */
function faultsOf(declaration: Declaration): string[] {
  const { fields, base_url, credentials, health, allowed_paths } = declaration;
  const faults: string[] = [];
  const base = typeof base_url === 'string' ? undefined : base_url.field;
  if (base !== undefined && fields[base]?.format !== 'url') {
    faults.push(`base_url.field: ${base} must be a field with format: url`);
  }
  credentials.forEach((place, index) => {
    const [secret, username] = placedFields(place);
    if (fields[secret]?.secret !== true) {
      faults.push(`credentials.${index}: ${secret} must be a field with secret: true`);
    }
    if (username !== undefined && !Object.hasOwn(fields, username)) {
      faults.push(`credentials.${index}.username: ${username} must be a field`);
    }
  });
  const placed = credentials.flatMap(placedFields);
  Object.entries(fields).forEach(([field, spec]) => {
    if (spec.secret && !placed.includes(field)) faults.push(`fields.${field}: is put nowhere`);
    faults.push(...defaultFaults(spec).map((fault) => `fields.${field}.default: ${fault}`));
  });
  // By the rule that every request is judged by: what starts is not refused later.
  if (urlBelow(ANY_BASE, health.path, allowed_paths) === undefined) {
    faults.push('health.path: must be below one of allowed_paths');
  }
  return faults;
}

const ANY_BASE = 'https://service.example';

/** The secret, and the name of a user beside it. */
function placedFields(place: Declaration['credentials'][number]): [string, ...string[]] {
  if (place.in !== 'basic') {
    return [place.field];
  }
  return place.username === undefined ? [place.password] : [place.password, place.username];
}

function defaultFaults(spec: FieldSpec): string[] {
  const { secret, default: preset } = spec;
  if (preset === undefined) {
    return [];
  }
  if (secret) {
    return ['a secret has none'];
  }
  const { error } = toField({ ...spec, default: undefined }).safeParse(preset);
  return (error?.issues ?? []).map(({ message }) => message);
}

function toType(declaration: Declaration): ConnectionType {
  const { type, title, description, base_url, credentials, headers, health } = declaration;
  const fields = Object.entries(declaration.fields).map(
    ([field, spec]) => [field, toField(spec)] as const,
  );
  const { method, accepts, must_be_true: mustBeTrue } = health;
  return {
    ...{ name: type, title, description },
    fields: z.strictObject(Object.fromEntries(fields)),
    http: {
      baseUrl: base_url,
      credentials,
      headers,
      allowedPaths: declaration.allowed_paths,
      health: {
        method,
        path: health.path,
        accepts,
        ...(mustBeTrue !== undefined && { mustBeTrue }),
      },
    },
    defaultRateRpm: declaration.default_rate_rpm,
    ...(declaration.concurrency !== undefined && { concurrency: declaration.concurrency }),
  };
}

function toField(spec: FieldSpec): z.ZodType {
  const { secret, required, format, default: preset, description } = spec;
  const make = secret ? secretField : format === 'url' ? urlField : textField;
  const field = make(description);
  if (preset !== undefined) {
    return field.default(preset);
  }
  return required ? field : field.optional();
}
