import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { format } from 'prettier';

/** Apps that commit their API document, and the module and function that make it. */
const DOCUMENTS = [
  { app: 'gateway', module: 'apps/gateway/dist/openapi.js', make: 'gatewayApi' },
] as const;

/** The API documents, from the routes that the apps serve. Apps must be built. */
export async function openapiDocuments(
  workspace: string,
): Promise<{ path: string; content: string }[]> {
  return Promise.all(
    DOCUMENTS.map(async ({ app, module, make }) => {
      // By path: no library may depend on an app, and tools read it only to describe it.
      const url = pathToFileURL(join(workspace, module)).href;
      const made = (await import(url)) as Record<string, () => Promise<unknown>>;
      const text = JSON.stringify(await made[make]?.());
      return {
        path: `apps/${app}/openapi.json`,
        content: await format(text, { parser: 'json', printWidth: 100 }),
      };
    }),
  );
}
