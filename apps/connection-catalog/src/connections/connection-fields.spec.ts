import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { builtInTypes } from '../connection-types/registry.ts';
import { github } from '../connection-types/github.ts';
import { mcp } from '../connection-types/mcp.ts';
import { changedFields, newFields, secretFieldsOf } from './connection-fields.ts';

describe('changedFields', () => {
  const current = {
    plain: { api_url: 'https://ghe.example/api' },
    set: new Set(['token', 'webhook_secret']),
  };
  const value = fc.oneof(fc.constant(null), fc.string({ minLength: 1, maxLength: 20 }));

  it('touches exactly the credentials that are named', () => {
    const input = fc.record(
      { token: value, webhook_secret: value, webhook_secret_previous: value },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(input, (fields) => {
        const { plain, written, removed } = changedFields(github, current, fields);
        const entries = Object.entries(fields);

        expect(plain).toEqual(current.plain);
        expect([...written].map(([field, secret]) => [field, secret.reveal()])).toEqual(
          entries.filter(([, given]) => given !== null),
        );
        expect(removed).toEqual(
          entries.filter(([, given]) => given === null).map(([field]) => field),
        );
      }),
    );
  });

  it('says nothing of what it refuses (P8)', () => {
    const secret = 'never-to-be-seen';
    const fields = { token: [secret], api_url: `https://u:${secret}@example.org`, [secret]: 1 };
    const refuse = (): unknown => changedFields(github, current, fields);

    expect(refuse).toThrow();
    try {
      refuse();
    } catch (error) {
      const { fields: faults } = error as { fields: { path: string; message: string }[] };
      expect(faults.map(({ message }) => message).join()).not.toContain(secret);
    }
  });

  it.each(['no JSON', '[]', '"text"', '{"a":1}', 'null'])(
    'refuses %s for the headers and the environment of an MCP server',
    (text) => {
      const good = { url: 'https://mcp.example', headers: '{"x-team":"a"}' };
      expect([...newFields(mcp, good).written.keys()]).toEqual(['headers']);

      for (const field of ['headers', 'environment']) {
        expect(() => newFields(mcp, { ...good, [field]: text })).toThrow(
          expect.objectContaining({
            fields: [{ path: `fields.${field}`, message: 'must be a JSON object of texts' }],
          }),
        );
      }
    },
  );

  it('takes what the first check made of the fields again', () => {
    const first = newFields(github, { token: 't' });

    expect(
      changedFields(github, { plain: first.plain, set: new Set(['token']) }, {}).plain,
    ).toEqual(first.plain);
  });
});

describe('every type', () => {
  it.each(builtInTypes.map((type) => [type.name, type] as const))(
    '%s names in its HTTP access only fields that it has',
    (_name, { http, fields }) => {
      const known = [...Object.keys(fields.shape), 'access_token'];
      const named = (http?.credentials ?? []).flatMap((place) => {
        if (place.in === 'basic') return [place.username ?? place.password, place.password];
        const name =
          place.in === 'header' && typeof place.name === 'object' ? [place.name.field] : [];
        return [place.field, ...name];
      });
      const base = typeof http?.baseUrl === 'object' ? [http.baseUrl.field] : [];

      expect([...named, ...base].filter((field) => !known.includes(field))).toEqual([]);
    },
  );

  it('has exactly the secrets that it should', () => {
    const secrets = Object.fromEntries(
      builtInTypes.map((type) => [type.name, secretFieldsOf(type)]),
    );
    const webhooks = ['webhook_secret', 'webhook_secret_previous'];

    expect(secrets).toEqual({
      anthropic: ['api_key'],
      brave_search: ['api_key'],
      database: ['password'],
      gemini: ['api_key'],
      generic_http: ['token', 'api_key', ...webhooks],
      github: ['token', ...webhooks],
      mcp: ['token', 'headers', 'environment'],
      meta: ['token', ...webhooks, 'verify_token'],
      oauth_app: ['client_secret'],
      openai: ['api_key'],
      openai_compatible: ['api_key'],
      openrouter: ['api_key'],
      s3: ['secret_access_key', 'session_token'],
      searxng: ['token'],
      slack: ['token', 'signing_secret'],
      smtp: ['password'],
      standard_webhooks: webhooks,
      stripe: ['api_key', ...webhooks],
      telegram: ['token', ...webhooks],
      webhook: [...webhooks, 'signing_secret', 'verify_token'],
    });
  });
});
