import { describe, expect, it } from '@jest/globals';
import { isBindingField } from '../connection-types/connection-type.ts';
import { readDeclaredTypes } from '../connection-types/declared-types.ts';
import { mcp } from '../connection-types/mcp.ts';
import { builtInTypes } from '../connection-types/registry.ts';
import { bindingOf } from './bound-credentials.ts';

const types = [...builtInTypes, ...readDeclaredTypes().types];

describe('what credentials are given for', () => {
  it('is every address of every type, and what else leads somewhere', () => {
    const bindings = types.map((type) => [
      type.name,
      Object.keys(type.fields.shape).filter((field) => isBindingField(type, field)),
    ]);
    const urls = ['issuer', 'auth_url', 'token_url', 'device_url', 'revocation_url', 'base_url'];

    expect(Object.fromEntries(bindings)).toEqual({
      ...Object.fromEntries(types.map(({ name }) => [name, ['base_url']])),
      ...Object.fromEntries(['github', 'meta', 'stripe', 'telegram'].map((n) => [n, ['api_url']])),
      ...Object.fromEntries(
        ['brave_search', 'slack', 'standard_webhooks', 'webhook'].map((n) => [n, []]),
      ),
      database: ['dialect', 'host', 'port', 'tls'],
      mcp: ['url', 'command', 'arguments'],
      oauth_app: ['client_id', ...urls, 'audience', 'resource'],
      s3: ['endpoint'],
      smtp: ['host', 'port'],
    });
  });

  it('is the same whatever the order of the fields and whatever else stands there', () => {
    const url = 'https://mcp.example';

    expect(bindingOf(mcp, { url, scopes: ['a'] })).toBe(bindingOf(mcp, { scopes: [], url }));
    expect(bindingOf(mcp, { url })).not.toBe(bindingOf(mcp, { url: `${url}/` }));
  });
});
