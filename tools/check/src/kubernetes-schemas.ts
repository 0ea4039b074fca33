import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory } from '@soma/testing';
import { z } from 'zod';
import { runCommand } from './run-command.ts';

const KUBERNETES = 'v1.35.4';

type JsonSchema = Record<string, unknown>;

const kindName = z.object({ group: z.string(), kind: z.string(), version: z.string() });
const swagger = z.object({
  definitions: z.record(
    z.string(),
    z.looseObject({
      properties: z.record(z.string(), z.unknown()).optional(),
      'x-kubernetes-group-version-kind': z.array(kindName).optional(),
    }),
  ),
});

/** Types that the API describes as text and that also take a number. */
const TEXT_OR_NUMBER = [
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString',
  'io.k8s.apimachinery.pkg.api.resource.Quantity',
];

/**
 * The JSON Schemas by which kubeconform judges, made once from Kubernetes' own API description.
 *
 * The description comes from the Go module proxy, so that no other site has to be reached.
 *
 * @returns The template of their paths, for kubeconform's `-schema-location`.
 */
export async function kubernetesSchemas(): Promise<string> {
  const directory = join(cacheDirectory, `kubernetes-schemas-${KUBERNETES}`);
  if (!existsSync(directory)) {
    await writeSchemas(directory);
  }
  return join(directory, '{{ .ResourceKind }}{{ .KindSuffix }}.json');
}

async function writeSchemas(directory: string): Promise<void> {
  const module = ['mod', 'download', '-json', `k8s.io/kubernetes@${KUBERNETES}`];
  const { Dir } = z.object({ Dir: z.string() }).parse(JSON.parse(await runCommand('go', module)));
  const text = await readFile(join(Dir, 'api/openapi-spec/swagger.json'), 'utf8');
  // Another process may do the same: each writes apart, and the last rename wins.
  const own = `${directory}.${process.pid}`;
  await mkdir(own, { recursive: true });
  for (const [name, schema] of strictSchemas(JSON.parse(text))) {
    await writeFile(join(own, `${name}.json`), JSON.stringify(schema));
  }
  await rename(own, directory);
}

/** One schema per kind, under kubeconform's name for it. Fields that the API lacks are refused. */
export function strictSchemas(apiDescription: unknown): Map<string, JsonSchema> {
  const { definitions } = swagger.parse(apiDescription);
  const strict: Record<string, JsonSchema> = {};
  const roots = new Map<string, string>();
  for (const [name, definition] of Object.entries(definitions)) {
    strict[name] = TEXT_OR_NUMBER.includes(name)
      ? { type: ['string', 'number'] }
      : { ...definition, ...(definition.properties && { additionalProperties: false }) };
    const [kind, ...others] = definition['x-kubernetes-group-version-kind'] ?? [];
    // Types of several groups, such as DeleteOptions, are never applied.
    if (kind && others.length === 0) roots.set(fileName(kind), name);
  }
  return new Map(
    [...roots].map(([file, name]) => {
      return [file, { $ref: `#/definitions/${name}`, definitions: reachable(name, strict) }];
    }),
  );
}

/** As in `deployment-apps-v1`. */
function fileName({ group, kind, version }: z.output<typeof kindName>): string {
  const [groupName = ''] = group.split('.');
  return [kind.toLowerCase(), groupName, version].filter((part) => part !== '').join('-');
}

/** The definitions that one of them needs, itself included. */
function reachable(name: string, definitions: Record<string, JsonSchema>): JsonSchema {
  const found: JsonSchema = {};
  const open = [name];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const definition = definitions[next];
    if (definition === undefined || next in found) continue;
    found[next] = definition;
    const references = JSON.stringify(definition).matchAll(/"#\/definitions\/([^"]+)"/g);
    open.push(...[...references].map(([, reference = '']) => reference));
  }
  return found;
}
