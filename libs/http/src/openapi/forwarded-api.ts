import { isDeepStrictEqual } from 'node:util';
import type { ApiDocument } from './document.ts';

/** The part of another service's API document that stands in ours too. */
export interface ForwardedApi {
  paths: Record<string, object>;
  /** Those that the paths refer to. */
  schemas: Record<string, object>;
  securitySchemes: Record<string, object>;
}

const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g;
const OPERATION_ID = /"operationId":"([^"]+)"/g;

/** Cuts out of a service's document the paths that are forwarded to it, and what they refer to. */
export function forwardedPart(
  { paths = {}, components = {} }: ApiDocument,
  isForwarded: (path: string) => boolean,
): ForwardedApi {
  const forwarded = Object.entries(paths).filter(([path]) => isForwarded(path));
  const schemas = new Map<string, object>();
  addReferenced(forwarded, components.schemas ?? {}, schemas);
  return {
    paths: Object.fromEntries(forwarded),
    schemas: Object.fromEntries(sorted(schemas)),
    securitySchemes: components.securitySchemes ?? {},
  };
}

/**
 * Adds to a service's document what it forwards, by the names of the services behind it.
 *
 * Services choose the names of their schemas and operations alone, so two may choose the same. What
 * came later and differs then goes under the name of its service and its own.
 *
 * @throws Error when two services mean different things by the name of a security scheme.
 */
export function withForwarded(
  own: ApiDocument,
  forwarded: Readonly<Record<string, ForwardedApi>>,
): ApiDocument {
  return Object.entries(forwarded).reduce(addPart, own);
}

function addPart(document: ApiDocument, [service, part]: [string, ForwardedApi]): ApiDocument {
  const { schemas = {}, securitySchemes = {} } = document.components ?? {};
  const renamed = avoidTakenNames(document, service, part);
  const paths = { ...document.paths, ...renamed.paths };
  return {
    ...document,
    // What was read from another document of the same making has its form.
    paths: Object.fromEntries(sorted(Object.entries(paths))) as NonNullable<ApiDocument['paths']>,
    components: {
      schemas: { ...schemas, ...renamed.schemas },
      securitySchemes: { ...securitySchemes, ...agreeing(securitySchemes, part.securitySchemes) },
    },
  };
}

function avoidTakenNames(document: ApiDocument, service: string, part: ForwardedApi): ForwardedApi {
  const prefix = service.replace(/(?:^|-)(\w)/g, (_match, letter: string) => letter.toUpperCase());
  const taken = document.components?.schemas ?? {};
  const isTaken = (name: string): boolean =>
    name in taken && !isDeepStrictEqual(taken[name], part.schemas[name]);
  const operations = new Set(
    [...JSON.stringify(document.paths).matchAll(OPERATION_ID)].map(([, id = '']) => id),
  );
  const rename = (name: string): string => (isTaken(name) ? prefix + name : name);
  const { paths, schemas } = JSON.parse(
    JSON.stringify(part)
      .replace(REFERENCE, (_match, name: string) => `"#/components/schemas/${rename(name)}"`)
      .replace(OPERATION_ID, (match, id: string) =>
        operations.has(id) ? `"operationId":"${prefix}_${id}"` : match,
      ),
  ) as ForwardedApi;
  const entries = Object.entries(schemas).map(([name, schema]) => [rename(name), schema]);
  return { ...part, paths, schemas: Object.fromEntries(entries) as ForwardedApi['schemas'] };
}

function agreeing(present: object, added: ForwardedApi['securitySchemes']): object {
  const entries = new Map<string, unknown>(Object.entries(present));
  for (const [name, scheme] of Object.entries(added)) {
    if (entries.has(name) && !isDeepStrictEqual(entries.get(name), scheme)) {
      throw new Error(`Two services mean different things by the security scheme "${name}".`);
    }
  }
  return added;
}

/** Follows references from schema to schema. */
function addReferenced(
  value: unknown,
  all: Record<string, unknown>,
  found: Map<string, object>,
): void {
  for (const [, name = ''] of JSON.stringify(value).matchAll(REFERENCE)) {
    const schema = all[name];
    if (!found.has(name) && typeof schema === 'object' && schema !== null) {
      found.set(name, schema);
      addReferenced(schema, all, found);
    }
  }
}

function sorted<Value>(entries: Iterable<[string, Value]>): [string, Value][] {
  return [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
}
