import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { transformer } from '@openfga/syntax-transformer';
import { type OpaServer, startOpa } from './opa.ts';
import { type OpenFgaServer, startOpenFga } from './openfga.ts';

const INFRASTRUCTURE = resolve(import.meta.dirname, '../../../infra');
const STORE = 'soma';

/** One relationship, as OpenFGA keeps it. */
interface Tuple {
  user: string;
  relation: string;
  object: string;
}

/** What decides on requests: the real thing, with our policies and our model of relationships. */
export interface AccessServers {
  opa: OpaServer;
  openFga: OpenFgaServer;
  /** As services take them. */
  settings: { OPA_URL: string; OPENFGA_API_URL: string };
  relate: (...tuples: Tuple[]) => Promise<void>;
  unrelate: (...tuples: Tuple[]) => Promise<void>;
  isRelated: (tuple: Tuple) => Promise<boolean>;
}

/** Starts both. They are left on the stack, which the caller disposes of. */
export async function startAccessServers(running: AsyncDisposableStack): Promise<AccessServers> {
  const [opa, openFga] = await Promise.all([
    startOpa({ policy: resolve(INFRASTRUCTURE, 'policy') }).then((server) => running.use(server)),
    startOpenFga().then((server) => running.use(server)),
  ]);
  const { id } = (await post(openFga.url, '/stores', { name: STORE })) as { id: string };
  const model = await readFile(resolve(INFRASTRUCTURE, 'openfga/model.fga'), 'utf8');
  const definition = transformer.transformDSLToJSONObject(model);
  await post(openFga.url, `/stores/${id}/authorization-models`, definition);
  const change = async (kind: 'writes' | 'deletes', tuple_keys: Tuple[]): Promise<void> => {
    await post(openFga.url, `/stores/${id}/write`, { [kind]: { tuple_keys } });
  };
  return {
    opa,
    openFga,
    settings: { OPA_URL: opa.url, OPENFGA_API_URL: openFga.url },
    relate: (...tuples) => change('writes', tuples),
    unrelate: (...tuples) => change('deletes', tuples),
    isRelated: async (tuple_key) => {
      const answer = await post(openFga.url, `/stores/${id}/check`, { tuple_key });
      return (answer as { allowed?: boolean }).allowed === true;
    },
  };
}

async function post(url: string, path: string, body: object): Promise<unknown> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = await response.text();
  if (!response.ok) throw new Error(`OpenFGA answered ${response.status}: ${answer}`);
  return JSON.parse(answer);
}
