import { secretSetting } from '@soma/kernel';
import { z } from 'zod';
import { askJson, below } from './ask-json.ts';
import type { Probe } from './probe.ts';

/** As in the services' settings. */
const settings = z.object({
  OPENFGA_API_URL: z.url('must be a URL'),
  OPENFGA_API_TOKEN: secretSetting.optional(),
  OPENFGA_STORE: z.string().default('soma'),
});

const stores = z.object({ stores: z.array(z.object({ id: z.string() })) });
const models = z.object({ authorization_models: z.array(z.object({ id: z.string() })) });

/** Whether there is one store of our name, with a model. */
export const openfga: Probe<typeof settings> = {
  check: 'openfga',
  settings,
  ask: async ({ OPENFGA_API_URL: url, OPENFGA_API_TOKEN: token, OPENFGA_STORE: name }, signal) => {
    const list = below(url, `/stores?name=${encodeURIComponent(name)}`);
    const { stores: found } = await askJson({ url: list, signal, token }, stores);
    const [store] = found;
    if (store === undefined || found.length > 1) {
      throw new Error(`It has ${found.length} stores with the name "${name}".`);
    }
    const newest = below(url, `/stores/${store.id}/authorization-models?page_size=1`);
    const { authorization_models: known } = await askJson({ url: newest, signal, token }, models);
    if (known[0] === undefined) {
      throw new Error(`Its store "${name}" has no model: run the provisioning job.`);
    }
    return { store: store.id, model: known[0].id };
  },
};
