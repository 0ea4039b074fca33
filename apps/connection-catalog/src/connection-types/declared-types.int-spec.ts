import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Outbound } from '@soma/http';
import { loadConfig, Secret } from '@soma/kernel';
import { startHttpServer } from '@soma/testing';
import { probeHttp } from '../health/probes/http.probe.ts';
import { catalogConfig } from '../catalog.config.ts';
import type { ConnectionType } from './connection-type.ts';
import { ConnectionTypes } from './connection-types.ts';
import { httpOf } from './http-of.ts';
import { readDeclaration, readDeclaredTypes } from './declared-types.ts';

const KEY = 'k3y-of-theirs';
const basic = (user: string): string => `Basic ${Buffer.from(`${user}:${KEY}`).toString('base64')}`;

/** What a product asks for and how it answers, on the wire. */
interface Product {
  fields?: Record<string, string>;
  secret: string;
  request: string;
  header: [name: string, value: string];
  yes: unknown;
  no: unknown;
}

const PRODUCTS: Record<string, Product> = {
  // https://nocodb.com/apis/v2/meta
  nocodb: {
    secret: 'token',
    request: 'GET /api/v2/meta/bases',
    header: ['xc-token', KEY],
    yes: { list: [], pageInfo: { totalRows: 0, page: 1, pageSize: 0, isLastPage: true } },
    no: { error: 'AUTHENTICATION_REQUIRED', message: 'Authentication required - Invalid token' },
  },
  // https://docs.n8n.io/api/api-reference
  n8n: {
    secret: 'api_key',
    request: 'GET /api/v1/workflows?limit=1',
    header: ['x-n8n-api-key', KEY],
    yes: { data: [], nextCursor: null },
    no: { message: 'unauthorized' },
  },
  // https://docs.couchdb.org/en/stable/api/server/authn.html#get--_session
  couchdb: {
    fields: { username: 'soma' },
    secret: 'password',
    request: 'GET /_session',
    header: ['authorization', basic('soma')],
    yes: { ok: true, userCtx: { name: 'soma', roles: [] }, info: { authenticated: 'default' } },
    no: { error: 'unauthorized', reason: 'Name or password is incorrect.' },
  },
  // https://github.com/louislam/uptime-kuma/wiki/API-Keys
  uptime_kuma: {
    secret: 'api_key',
    request: 'GET /metrics',
    header: ['authorization', basic('')],
    yes: '# TYPE monitor_status gauge\nmonitor_status{monitor_name="Shop"} 1\n',
    no: '',
  },
  // https://grafana.com/docs/grafana/latest/developers/http_api/folder_dashboard_search
  grafana: {
    secret: 'token',
    request: 'GET /api/search?limit=1',
    header: ['authorization', `Bearer ${KEY}`],
    yes: [],
    no: { message: 'Invalid API key', messageId: 'api-key.invalid', statusCode: 401, traceID: '' },
  },
  // https://docs.litellm.ai/docs/proxy/model_access
  litellm: {
    secret: 'api_key',
    request: 'GET /v1/models',
    header: ['authorization', `Bearer ${KEY}`],
    yes: { object: 'list', data: [{ id: 'gpt-4o', object: 'model', owned_by: 'openai' }] },
    no: {
      error: { message: 'Authentication Error', type: 'auth_error', param: 'None', code: '401' },
    },
  },
  // https://github.com/we-promise/sure/tree/main/docs/api
  sure: {
    secret: 'api_key',
    request: 'GET /api/v1/accounts?per_page=1',
    header: ['x-api-key', KEY],
    yes: { accounts: [], pagination: { page: 1, per_page: 1, total_count: 0, total_pages: 0 } },
    no: {
      error: 'unauthorized',
      message: 'Access token or API key is invalid, expired, or missing',
    },
  },
};

describe('types that come as files', () => {
  const running = new AsyncDisposableStack();
  const outbound = new Outbound({ allowedHosts: ['127.0.0.1'] });
  const { types, faults } = readDeclaredTypes();
  let base: string;
  let product: Product;

  function isGranted({ method = '', url = '', headers }: IncomingMessage): boolean {
    const [name, value] = product.header;
    return `${method} ${url.replace('/theirs', '')}` === product.request && headers[name] === value;
  }

  beforeAll(async () => {
    const server = await startHttpServer((request, response) => {
      const isGood = isGranted(request);
      const body = isGood ? product.yes : product.no;
      response.writeHead(isGood ? 200 : 401);
      response.end(typeof body === 'string' ? body : JSON.stringify(body));
    });
    base = `${running.use(server).url}/theirs`;
    running.defer(() => outbound.close());
  });
  afterAll(() => running.disposeAsync());

  function probe(type: ConnectionType, key: string): Promise<boolean> {
    const fields = { base_url: base, ...product.fields };
    const credentials = new Map([[product.secret, new Secret(key)]]);
    const target = { type, fields, credentials, http: httpOf(type, fields) };
    const signal = AbortSignal.timeout(20_000);
    return probeHttp(target, { outbound, signal, pause: () => Promise.resolve() });
  }

  it('come with the service, each right in itself', () => {
    expect(faults).toEqual([]);
    expect(types.map(({ name }) => name).sort()).toEqual(Object.keys(PRODUCTS).sort());
  });

  it.each(types.map((type) => [type.name, type] as const))(
    '%s asks as the product wants to be asked',
    async (name, type) => {
      const found = PRODUCTS[name];
      if (found === undefined) throw new Error(`There is no product for ${name}.`);
      product = found;
      const fields = { base_url: base, ...found.fields, [found.secret]: KEY };

      expect(type.fields.safeParse(fields).success).toBe(true);
      expect(await probe(type, KEY)).toBe(true);
      await expect(probe(type, 'bad')).rejects.toMatchObject({ reason: 'credential_refused' });
    },
  );

  it('are read from the folder of the operator too', async () => {
    const folder = await folderWith({ 'crm.yaml': CRM });

    expect(readDeclaredTypes(folder).types.map(({ name }) => name)).toContain('crm');
  });

  it('say how much their connections may be used, where these do not', () => {
    const limitsOf = (text: string, own: number | null): unknown => {
      const { type } = readDeclaration(text);
      return type && new ConnectionTypes([type]).limitsOf(type, own);
    };

    expect(limitsOf(`${CRM}concurrency: 2\n`, null)).toEqual({ perMinute: 30, concurrency: 2 });
    expect(limitsOf(CRM, 600)).toEqual({ perMinute: 600, concurrency: 10 });
  });

  it('are refused at start, with everything that is wrong with each', async () => {
    const folder = await folderWith({
      'crm.yaml': CRM.replace('path: /ping', 'path: /admin').replace(
        'secret: true',
        'secret: false',
      ),
      'github.yaml': CRM.replace('type: crm', 'type: github'),
      'half.yml': 'type: half\nunknown: 1\nhealth: { method: POST, path: x }\n',
      'broken.yaml': 'type: [',
    });
    const load = (directory: string): unknown =>
      loadConfig(catalogConfig, { INTEGRATIONS_CONNECTION_TYPES_DIR: directory });

    for (const fault of [
      'crm.yaml: credentials.0: key must be a field with secret: true',
      'crm.yaml: health.path: must be below one of allowed_paths',
      'the type github is there twice',
      'half.yml: title:',
      'half.yml: health.method:',
      'half.yml: health.path: must begin with /',
      'Unrecognized key: "unknown"',
      'broken.yaml:',
    ]) {
      expect(() => load(folder)).toThrow(fault);
    }
    expect(() => load(join(folder, 'missing'))).toThrow('the folder cannot be read (ENOENT)');
  });

  it.each([
    ['a secret that is put nowhere', '  spare: { description: d, secret: true }\n'],
    ['a key twice', '  key: { description: again }\n'],
    ['a default that is no URL', '  hub: { description: d, format: url, default: nowhere }\n'],
    ['an empty default', "  hub: { description: d, default: '' }\n"],
  ])('refuses %s', (_what, line) => {
    const { type, faults: found } = readDeclaration(CRM.replace('fields:\n', `fields:\n${line}`));

    expect(type).toBeUndefined();
    expect(found).toHaveLength(1);
  });

  it.each([
    ['secret: true', 'secret: true, default: x', 'fields.key.default: a secret has none'],
    ['health: { path: /ping }', 'health: { path: /pings }', 'health.path: must be below'],
    ['health: { path: /ping }', 'health: { path: /api/../admin }', 'health.path: must be below'],
    [
      '{ in: query, field: key, name: k }',
      '{ in: basic, username: usr, password: key }',
      'credentials.0.username: usr must be a field',
    ],
  ])('refuses %s where it is %s', (right, wrong, fault) => {
    expect(readDeclaration(CRM.replace(right, wrong)).faults).toEqual([
      expect.stringContaining(fault),
    ]);
  });

  async function folderWith(files: Record<string, string>): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'soma-types-'));
    running.defer(() => rm(folder, { recursive: true }));
    await Promise.all(
      Object.entries(files).map(([file, content]) => writeFile(join(folder, file), content)),
    );
    return folder;
  }
});

const CRM = `
type: crm
title: CRM
description: Customers.
fields:
  url: { description: Where it is., format: url }
  key: { description: The key., secret: true }
base_url: { field: url }
credentials:
  - { in: query, field: key, name: k }
health: { path: /ping }
default_rate_rpm: 30
allowed_paths: [/ping, /api/]
`;
