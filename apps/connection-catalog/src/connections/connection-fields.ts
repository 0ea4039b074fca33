import { type FieldProblem, Problem, Secret } from '@soma/kernel';
import { toFieldProblems } from '@soma/http';
import { z } from 'zod';
import {
  type ConnectionType,
  type FieldValues,
  isSecretField,
} from '../connection-types/connection-type.ts';

/** What a request asks for, checked against the type. */
export interface FieldChange {
  /** All that is not secret, as it is to be kept. */
  plain: FieldValues;
  /** Credentials with a new value. */
  written: ReadonlyMap<string, Secret>;
  /** Credentials that are to be removed. */
  removed: readonly string[];
}

/** What a connection has: its plain fields, and which of its credentials are set. */
export interface CurrentFields {
  plain: FieldValues;
  set: ReadonlySet<string>;
}

/**
 * Checks the fields of a new connection.
 *
 * @param set - The credentials that it has already, for the operator has set them.
 * @throws {@link Problem} 400 `invalid_request` that names every bad field, and no value.
 */
export function newFields(
  type: ConnectionType,
  input: FieldValues,
  set: ReadonlySet<string> = new Set(),
): FieldChange {
  return changedFields(type, { plain: {}, set }, input);
}

/**
 * Checks a change of fields: what is absent stays as it is, and null is removed or goes back to its
 * default.
 *
 * @throws {@link Problem} 400 `invalid_request` that names every bad field, and no value.
 */
export function changedFields(
  type: ConnectionType,
  current: CurrentFields,
  input: FieldValues,
): FieldChange {
  const change = splitInput(type, input);
  const plain = plainSchema(type).safeParse(mergedFields(type, current.plain, change.plain));
  const set = new Set([...current.set, ...Object.keys(change.secret)]);
  change.removed.forEach((field) => set.delete(field));
  const faults = [
    ...toFieldProblems(plain.error?.issues ?? []),
    ...secretFaults(type, change.secret),
    ...missingSecrets(type, set),
  ];
  const all = faults.length > 0 ? faults : combinationFaults(type, plain.data ?? {}, set);
  if (all.length > 0) {
    throw invalidFields(all);
  }
  const written = Object.entries(change.secret).map(
    // The schema of every secret is one of text.
    ([field, value]) => [field, new Secret(value as string)] as const,
  );
  return { plain: plain.data ?? {}, written: new Map(written), removed: change.removed };
}

/** The names of a type's secret fields. */
export function secretFieldsOf(type: ConnectionType): string[] {
  return Object.keys(type.fields.shape).filter((field) => isSecretField(type, field));
}

interface SplitInput {
  plain: FieldValues;
  secret: FieldValues;
  removed: string[];
}

function splitInput(type: ConnectionType, input: FieldValues): SplitInput {
  const isSecret = ([field]: [string, unknown]): boolean => isSecretField(type, field);
  const entries = Object.entries(input);
  const secret = entries.filter(isSecret);
  return {
    plain: Object.fromEntries(entries.filter((entry) => !isSecret(entry))),
    secret: Object.fromEntries(secret.filter(([, value]) => value !== null)),
    removed: secret.filter(([, value]) => value === null).map(([field]) => field),
  };
}

/** What there is to be kept. A null that removes nothing stays, so that it is refused by its name. */
function mergedFields(type: ConnectionType, current: FieldValues, input: FieldValues): FieldValues {
  const known = { ...type.fields.shape, ...current };
  const merged = Object.entries({ ...current, ...input });
  return Object.fromEntries(
    merged.filter(([field, value]) => value !== null || !Object.hasOwn(known, field)),
  );
}

function plainSchema(type: ConnectionType): z.ZodObject {
  return z.strictObject(
    Object.fromEntries(shapeOf(type).filter(([field]) => !isSecretField(type, field))),
  );
}

function shapeOf(type: ConnectionType): [string, z.ZodType][] {
  return Object.entries<z.ZodType>(type.fields.shape);
}

function secretFaults(type: ConnectionType, values: FieldValues): FieldProblem[] {
  const shape = new Map(shapeOf(type));
  return Object.entries(values).flatMap(([field, value]) => {
    const { error } = shape.get(field)?.safeParse(value) ?? {};
    return (error?.issues ?? []).map(({ message }) => ({ path: field, message }));
  });
}

function missingSecrets(type: ConnectionType, set: ReadonlySet<string>): FieldProblem[] {
  return shapeOf(type)
    .filter(([field]) => isSecretField(type, field) && !set.has(field))
    .filter(([, schema]) => !schema.safeParse(undefined).success)
    .map(([field]) => ({ path: field, message: 'must be set' }));
}

function combinationFaults(
  type: ConnectionType,
  plain: FieldValues,
  set: ReadonlySet<string>,
): FieldProblem[] {
  return (type.check?.(plain, set) ?? []).map(({ field, message }) => ({ path: field, message }));
}

function invalidFields(faults: readonly FieldProblem[]): Problem {
  return new Problem({
    status: 400,
    code: 'invalid_request',
    detail: 'The request is not in the expected form. Correct the listed fields and try again.',
    fields: faults.map(({ path, message }) => ({ path: `fields.${path}`, message })),
  });
}
