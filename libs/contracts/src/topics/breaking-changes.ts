import type { JsonSchema } from './topic-schema.ts';

/**
 * What in a new schema would break readers or records of the released one, a sentence each.
 *
 * During a rolling upgrade old consumers read what new producers write, and new consumers read what
 * old producers wrote. So a field may be added if it is optional, and nothing else may change about
 * the fields that are there: not the type, not the values of an enum, not whether it must be there.
 */
export function findBreakingChanges(released: JsonSchema, current: JsonSchema): string[] {
  return compare(released, current, '');
}

function compare(released: unknown, current: unknown, path: string): string[] {
  const [before, now] = [asSchema(released), asSchema(current)];
  return [
    ...changedRequirements(before, now, path),
    ...changedValues(before, now, path),
    ...changedProperties(before, now, path),
    ...changedParts(before, now, path),
  ];
}

function changedRequirements(before: JsonSchema, now: JsonSchema, path: string): string[] {
  const [required, requiredNow] = [namesIn(before['required']), namesIn(now['required'])];
  return [
    ...requiredNow
      .filter((name) => !required.includes(name))
      .map((name) => `${path}/${name} is required now; older producers do not send it`),
    ...required
      .filter((name) => !requiredNow.includes(name))
      .map((name) => `${path}/${name} is optional now; older consumers rely on it`),
  ];
}

/** The words that say which values are allowed. */
const VALUE_WORDS = ['type', 'const', 'format', 'pattern', 'minimum', 'maximum', '$ref'];

function changedValues(before: JsonSchema, now: JsonSchema, path: string): string[] {
  const words = VALUE_WORDS.filter((word) => !isEqual(before[word], now[word]));
  const [values, valuesNow] = [listIn(before['enum']), listIn(now['enum'])];
  const removed = values.filter((value) => !valuesNow.includes(value));
  const added = values.length === 0 ? [] : valuesNow.filter((value) => !values.includes(value));
  return [
    ...words.map((word) => `${path || '/'} has another ${word}`),
    ...removed.map((value) => `${path || '/'} is no longer ${JSON.stringify(value)}`),
    ...added.map(
      (value) => `${path || '/'} may be ${JSON.stringify(value)}; older consumers refuse it`,
    ),
  ];
}

function changedProperties(before: JsonSchema, now: JsonSchema, path: string): string[] {
  const [properties, propertiesNow] = [asSchema(before['properties']), asSchema(now['properties'])];
  return Object.entries(properties).flatMap(([name, schema]) =>
    name in propertiesNow
      ? compare(schema, propertiesNow[name], `${path}/${name}`)
      : [`${path}/${name} is gone`],
  );
}

/** The words that hold schemas within a schema, besides `properties`. */
const PART_WORDS = ['items', 'additionalProperties', 'propertyNames'];
const ALTERNATIVE_WORDS = ['anyOf', 'oneOf', 'allOf'];

function changedParts(before: JsonSchema, now: JsonSchema, path: string): string[] {
  const parts = PART_WORDS.flatMap((word) =>
    compareIfChanged(before[word], now[word], `${path}/*`),
  );
  const alternatives = ALTERNATIVE_WORDS.flatMap((word) => {
    const [were, are] = [listIn(before[word]), listIn(now[word])];
    if (were.length !== are.length) return [`${path || '/'} has other alternatives (${word})`];
    return were.flatMap((schema, index) => compareIfChanged(schema, are[index], path));
  });
  const definitions = changedProperties(
    { properties: before['$defs'] },
    { properties: now['$defs'] },
    `${path}/$defs`,
  );
  return [...parts, ...alternatives, ...definitions];
}

function compareIfChanged(before: unknown, now: unknown, path: string): string[] {
  if (isEqual(before, now)) return [];
  const areSchemas = isSchema(before) && isSchema(now);
  return areSchemas ? compare(before, now, path) : [`${path || '/'} allows other values`];
}

function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown): JsonSchema {
  return isSchema(value) ? value : {};
}

function listIn(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function namesIn(value: unknown): string[] {
  return listIn(value).filter((name) => typeof name === 'string');
}

function isEqual(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
