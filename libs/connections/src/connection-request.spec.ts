import { describe, expect, it } from '@jest/globals';
import type { ConnectionHttp, CredentialPlace } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { connectionRequest, type ConnectionRequest } from './connection-request.ts';

const HTTP: ConnectionHttp = {
  base_url: 'https://crm.example/base/',
  headers: {},
  credentials: [],
  allowed_paths: ['/'],
};

function request(
  path: string,
  http: Partial<ConnectionHttp> = {},
  key = 'k3y',
): ConnectionRequest | undefined {
  const fields = { user: 'ann', header: 'X-Their-Key' };
  const credentials = new Map([['key', new Secret(key)]]);
  return connectionRequest({ fields, credentials, http: { ...HTTP, ...http } }, path);
}

describe('connectionRequest', () => {
  it.each<[CredentialPlace, string, string]>([
    [
      { in: 'header', field: 'key', name: 'authorization', prefix: 'Bearer ' },
      'authorization',
      'Bearer k3y',
    ],
    [{ in: 'header', field: 'key', name: { field: 'header' } }, 'x-their-key', 'k3y'],
    // RFC 7617
    [{ in: 'basic', username: 'user', password: 'key' }, 'authorization', 'Basic YW5uOmszeQ=='],
    [{ in: 'basic', password: 'key' }, 'authorization', 'Basic OmszeQ=='],
  ])('puts a credential in a header: %j', (place, header, value) => {
    expect(request('/x', { credentials: [place] })?.headers.get(header)).toBe(value);
  });

  it('puts a credential in the query, and before the path', () => {
    const query = request('/x?a=1', { credentials: [{ in: 'query', field: 'key', name: 'k' }] });
    const path = request('/x', { credentials: [{ in: 'path', field: 'key', prefix: '/bot' }] });

    expect(query?.url.href).toBe('https://crm.example/base/x?a=1&k=k3y');
    const odd = request(
      '/x',
      {
        base_url: 'https://crm.example',
        credentials: [{ in: 'path', field: 'key', prefix: '/bot' }],
      },
      '1:a/../../b?c',
    );

    expect(odd?.url.href).toBe('https://crm.example/bot1:a%2F..%2F..%2Fb%3Fc/x');
    expect(path?.url.href).toBe('https://crm.example/base/botk3y/x');
  });

  it('puts nothing where the field is not set', () => {
    const credentials: CredentialPlace[] = [
      { in: 'header', field: 'token', name: 'authorization' },
      { in: 'query', field: 'token', name: 'k' },
      { in: 'basic', password: 'token' },
    ];
    const made = request('/x', { credentials });

    expect(made?.url.href).toBe('https://crm.example/base/x');
    expect([...(made?.headers ?? [])]).toEqual([]);
  });

  it('has nowhere to go by what does not speak HTTP', () => {
    const connection = { fields: {}, credentials: new Map(), http: null };

    expect(connectionRequest(connection, '/x')).toBeUndefined();
  });

  it.each([
    '@evil.example/',
    '.evil.example/',
    ':8080/',
    '/../admin',
    '/%2e%2e/admin',
    '/api/../../admin',
    '/api/..%2fadmin',
    '/api/..%5cadmin',
    '/api/%00',
    '/admin',
    '/apiary',
    'api/x',
  ])('leads nowhere but below the base URL and the allowed paths: %s', (path) => {
    expect(() => request(path, { allowed_paths: ['/api/'] })).toThrow(
      expect.objectContaining({ status: 422, code: 'connection_path_not_allowed' }),
    );
  });

  it.each(['/api/x', '/api/x?next=/../admin', '/api/a%20b', '/api/x/../y', '/metrics'])(
    'leads to what is allowed: %s',
    (path) => {
      expect(request(path, { allowed_paths: ['/api/', '/metrics'] })?.url.pathname).toMatch(
        /^\/base\/(api\/|metrics)/,
      );
    },
  );
});
