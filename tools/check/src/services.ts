import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describeConfig, type SettingDescription } from '@soma/kernel';
import { z } from 'zod';
import { workspace } from './paths.ts';

/** What is deployed, and the module that holds its schema of settings. Apps must be built. */
const SERVICES = {
  gateway: 'apps/gateway/dist/gateway.config.js',
  'conversation-worker': 'apps/conversation-worker/dist/worker.config.js',
  identity: 'apps/identity/dist/identity.config.js',
  'connection-catalog': 'apps/connection-catalog/dist/catalog.config.js',
  provision: 'tools/provision/src/provision.config.ts',
};

/** One deployed program and its settings. */
export interface DescribedService {
  name: string;
  settings: SettingDescription[];
}

/** The settings of everything that is deployed, from the schemas by which it reads them. */
export async function describeServices(): Promise<DescribedService[]> {
  const services: DescribedService[] = [];
  for (const [name, path] of Object.entries(SERVICES)) {
    // By path: no library may depend on an app, and tools read its schema only to describe it.
    const module = (await import(pathToFileURL(join(workspace, path)).href)) as object;
    const schema = Object.values(module).find((value) => value instanceof z.ZodObject);
    if (schema === undefined) {
      throw new Error(`${path} exports no schema of settings.`);
    }
    services.push({ name, settings: describeConfig(schema) });
  }
  return services;
}
