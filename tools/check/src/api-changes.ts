import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';

/** What a reviewer has to know of: each thing by its name, with all that can change about it. */
export type Surface = ReadonlyMap<string, unknown>;

const openapi = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.unknown())).default({}),
  components: z
    .looseObject({ securitySchemes: z.record(z.string(), z.unknown()).default({}) })
    .default({ securitySchemes: {} }),
});
const settings = z.array(
  z.object({ name: z.string(), default: z.string().optional(), secret: z.boolean() }),
);

/** Keys of an OpenAPI document that change what is said and not what is done. */
const PROSE = ['description', 'summary', 'example', 'examples', 'tags', 'operationId', 'title'];

/**
 * The routes of an OpenAPI document, the outbound hosts that settings lead to, and the kinds of
 * credential: those by which callers sign in, and the secrets that the services hold.
 *
 * @param document - The parsed OpenAPI document.
 * @param settingsFiles - The parsed `infra/helm/soma/settings/*.json`.
 */
export function surfaceOf(document: unknown, settingsFiles: readonly unknown[]): Surface {
  const { paths, components } = openapi.parse(document);
  const described = settingsFiles.flatMap((file) => settings.parse(file));
  return new Map([
    ...Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]): [string, unknown] => [
        `${method.toUpperCase()} ${path}`,
        resolved(operation, components, []),
      ]),
    ),
    ...Object.entries(components.securitySchemes).map(([name, scheme]): [string, unknown] => [
      name,
      resolved(scheme, components, []),
    ]),
    ...described
      .flatMap((setting) => (setting.secret ? [] : hostsIn(setting.default ?? '')))
      .map((host): [string, unknown] => [host, true]),
    ...described
      .filter((setting) => setting.secret)
      .map((setting): [string, unknown] => [setting.name, true]),
  ]);
}

/** The names of what one of two surfaces lacks, or has otherwise. */
export function changesBetween(before: Surface, after: Surface): string[] {
  const names = new Set([...before.keys(), ...after.keys()]);
  return [...names].filter((name) => !isDeepStrictEqual(before.get(name), after.get(name))).sort();
}

/** Those changes of which no line that was added to the changelog speaks, by their full name. */
export function unmentioned(changes: readonly string[], addedLines: readonly string[]): string[] {
  return changes.filter((change) => !addedLines.some((line) => mentions(line, change)));
}

/** `GET /v1/session` is not spoken of where `GET /v1/session/{id}` is. */
function mentions(line: string, name: string): boolean {
  const quoted = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`(?<![\\w/.-])${quoted}(?![\\w/{-])`).test(line);
}

function hostsIn(value: string): string[] {
  return value
    .split(',')
    .filter((part) => part.includes('://') && URL.canParse(part))
    .map((part) => new URL(part).host);
}

/** A copy with every `$ref` in place of which it stands, so that a change of a shape shows. */
function resolved(value: unknown, components: object, trail: readonly string[]): unknown {
  if (Array.isArray(value)) return value.map((item) => resolved(item, components, trail));
  if (typeof value !== 'object' || value === null) return value;
  const { $ref: reference } = value as { $ref?: unknown };
  if (typeof reference === 'string') {
    // A shape within itself is known from its first appearance.
    return trail.includes(reference)
      ? reference
      : resolved(lookUp(reference, components), components, [...trail, reference]);
  }
  const entries = Object.entries(value).filter(([key]) => !PROSE.includes(key));
  return Object.fromEntries(entries.map(([key, item]) => [key, resolved(item, components, trail)]));
}

/** Follows `#/components/schemas/Problem`. */
function lookUp(reference: string, components: object): unknown {
  const steps = reference.replace(/^#\/components\//, '').split('/');
  return steps.reduce<unknown>(
    (value, step) => (value as Record<string, unknown> | undefined)?.[step],
    components,
  );
}
