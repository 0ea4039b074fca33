import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { appServing } from '@soma/contracts';
import { type ApiDocument, type ForwardedApi, forwardedPart } from '@soma/http';
import { format } from 'prettier';

/** Apps behind the gateway that commit their API document, and the function that makes it. */
const BEHIND_THE_GATEWAY = {
  'connection-catalog': 'catalogApi',
  'conversation-worker': 'workerApi',
  identity: 'identityApi',
};

type Forwarded = Record<string, ForwardedApi>;

/**
 * The API documents, from the routes that the apps serve. Apps must be built.
 *
 * The gateway's lists what it forwards too. So that it needs nobody to start, it reads that from a
 * file of its own, which is made here.
 */
export async function openapiDocuments(
  workspace: string,
): Promise<{ path: string; content: string }[]> {
  const make = async (app: string, name: string, forwarded?: Forwarded): Promise<ApiDocument> => {
    // By path: no library may depend on an app, and tools read it only to describe it.
    const url = pathToFileURL(join(workspace, `apps/${app}/dist/openapi.js`)).href;
    const made = (await import(url)) as Record<string, (_?: Forwarded) => Promise<ApiDocument>>;
    const document = await made[name]?.(forwarded);
    if (document === undefined) {
      throw new Error(`apps/${app}/src/openapi.ts exports no ${name}.`);
    }
    return document;
  };
  const forwarded: Forwarded = {};
  const files = [];
  for (const [app, name] of Object.entries(BEHIND_THE_GATEWAY)) {
    const document = await make(app, name);
    forwarded[app] = forwardedPart(document, (path) => appServing(path) === app);
    files.push(await toFile(`apps/${app}/openapi.json`, document));
  }
  return [
    ...files,
    await toFile('apps/gateway/src/forwarding/forwarded-api.json', forwarded),
    await toFile('apps/gateway/openapi.json', await make('gateway', 'gatewayApi', forwarded)),
  ];
}

async function toFile(path: string, value: object): Promise<{ path: string; content: string }> {
  const text = JSON.stringify(value);
  return { path, content: await format(text, { parser: 'json', printWidth: 100 }) };
}
