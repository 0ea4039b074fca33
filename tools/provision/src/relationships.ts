import { transformer } from '@openfga/syntax-transformer';
import { type Secret, TransientError } from '@soma/kernel';
import { z } from 'zod';

/** Our part of OpenFGA. */
export interface RelationshipStore {
  url: string;
  token: Secret | undefined;
  /** The services find it by its name. */
  name: string;
  /** The model, in OpenFGA's language. */
  model: string;
}

const LIMIT_MS = 10_000;

const storeList = z.object({ stores: z.array(z.object({ id: z.string() })) });
const newStore = z.object({ id: z.string() });
const modelList = z.object({ authorization_models: z.array(z.looseObject({ id: z.string() })) });
const newModel = z.object({ authorization_model_id: z.string() });

/**
 * Makes the store if there is none of its name, and writes the model if it is not the newest one there.
 *
 * A model is never changed: services that run go on with the one that they know.
 *
 * @returns What was done.
 */
export async function provisionRelationships(store: RelationshipStore): Promise<string> {
  const storePath = `/stores/${await storeId(store)}`;
  const wanted = transformer.transformDSLToJSONObject(store.model);
  const models = `${storePath}/authorization-models`;
  const { authorization_models: newest } = modelList.parse(
    await ask(store, `${models}?page_size=1`),
  );
  if (newest[0] !== undefined && inOwnWords(newest[0]) === inOwnWords(wanted)) {
    return `model ${newest[0].id} is the newest.`;
  }
  const { authorization_model_id: id } = newModel.parse(await ask(store, models, wanted));
  return `model ${id} was written.`;
}

async function storeId(store: RelationshipStore): Promise<string> {
  const path = `/stores?name=${encodeURIComponent(store.name)}`;
  const [known] = storeList.parse(await ask(store, path)).stores;
  const { id } = known ?? newStore.parse(await ask(store, '/stores', { name: store.name }));
  return id;
}

/** In its language two models are equal where only what OpenFGA fills in differs. */
function inOwnWords(model: object): string {
  return transformer.transformJSONStringToDSL(JSON.stringify(model));
}

/** @throws Without the request, whose headers hold the token. */
async function ask(
  { url, token }: RelationshipStore,
  path: string,
  body?: object,
): Promise<unknown> {
  const tried = `${body === undefined ? 'GET' : 'POST'} ${path.split('?')[0] ?? ''} of OpenFGA`;
  const response = await fetch(`${url.replace(/\/$/, '')}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token && { authorization: `Bearer ${token.reveal()}` }),
    },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(LIMIT_MS),
  }).catch((cause: unknown) => {
    throw new TransientError(tried, { cause });
  });
  if (response.status >= 500) throw new TransientError(tried);
  const answer = await response.text();
  if (!response.ok) throw new Error(`${tried} answered ${response.status}: ${answer}`);
  return JSON.parse(answer);
}
