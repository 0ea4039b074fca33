import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type AccessServers, installedTool, startAccessServers } from '@soma/testing';
import { parse } from 'yaml';
import { z } from 'zod';

const TESTS = resolve(import.meta.dirname, '../../../infra/openfga/store.fga.yaml');

const tuple = z.strictObject({ user: z.string(), relation: z.string(), object: z.string() });

/** The part of the form of `fga model test` that our tests use. What is not in it is a fault. */
const testFile = z.strictObject({
  name: z.string(),
  model_file: z.literal('./model.fga'),
  tuples: z.array(tuple),
  tests: z.array(
    z.strictObject({
      name: z.string(),
      check: z.array(
        z.strictObject({
          user: z.string(),
          object: z.string(),
          assertions: z.record(z.string(), z.boolean()),
        }),
      ),
    }),
  ),
});

const { tuples, tests } = testFile.parse(parse(await readFile(TESTS, 'utf8')));
const describeModel = installedTool('openfga') && installedTool('opa') ? describe : describe.skip;

describeModel('the model of relationships', () => {
  const running = new AsyncDisposableStack();
  let servers: AccessServers;

  beforeAll(async () => {
    servers = await startAccessServers(running);
    await servers.relate(...tuples);
  });
  afterAll(() => running.disposeAsync());

  it.each(tests)('$name', async ({ check }) => {
    for (const { user, object, assertions } of check) {
      const said: Record<string, boolean> = {};
      for (const relation of Object.keys(assertions)) {
        said[relation] = await servers.isRelated({ user, relation, object });
      }

      expect({ user, object, ...said }).toEqual({ user, object, ...assertions });
    }
  });
});
