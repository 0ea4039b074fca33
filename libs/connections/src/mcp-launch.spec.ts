import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { type McpServer, mcpServer } from '@soma/contracts';
import { Secret } from '@soma/kernel';
import { type McpConnections, mcpLaunch } from './mcp-launch.ts';

const PLACE = { packages: '/packages', workspace: '/work/s1' };
const CONNECTIONS: McpConnections = new Map([
  ['bank', { token: new Secret('canary-token'), tls: true, port: 5432, database: 'books.db' }],
]);

function server(transport: McpServer['transport'], references: object[] = []): McpServer {
  return mcpServer.parse({ name: 'books', source: 'catalog', transport, references, tools: null });
}

const PACKAGE: McpServer['transport'] = {
  type: 'stdio',
  package: {
    name: '@acme/books',
    version: '1.2.3',
    integrity: `sha512-${'A'.repeat(86)}==`,
    executable: 'dist/index.js',
  },
  arguments: ['--root', '{workspace}/books'],
  environment: { MODE: 'quiet', FILE: '{workspace}/f' },
};

function revealed(values: Record<string, Secret>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, value.reveal()]));
}

describe('mcpLaunch', () => {
  it('passes what comes from a connection by the environment, never by an argument (P8)', () => {
    const reference = { name: 'TOKEN', connection: 'bank', field: 'token' };

    const launch = mcpLaunch(server(PACKAGE, [reference]), CONNECTIONS, PLACE);

    if (launch.type !== 'process') throw new Error('It is a process.');
    const program = '/packages/node_modules/@acme/books/dist/index.js';
    expect([launch.command, ...launch.args]).toEqual([
      ...[process.execPath, program, '--root', '/work/s1/books'],
    ]);
    expect(revealed(launch.env)).toEqual({
      ...{ HOME: '/work/s1', MODE: 'quiet', FILE: '/work/s1/f', TOKEN: 'canary-token' },
    });
    expect(inspect(launch, { depth: 9 }) + JSON.stringify(launch)).not.toContain('canary');
  });

  it('sends it as a header to a remote server', () => {
    const remote = { type: 'streamable_http', url: 'https://mcp.example/', headers: {} } as const;
    const reference = { name: 'Authorization', connection: 'bank', field: 'token' };

    const launch = mcpLaunch(
      server(remote, [{ ...reference, prefix: 'Bearer ' }]),
      CONNECTIONS,
      PLACE,
    );

    if (launch.type !== 'http') throw new Error('It is remote.');
    expect(launch.url).toBe('https://mcp.example/');
    expect(revealed(launch.headers)).toEqual({ Authorization: 'Bearer canary-token' });
  });

  it('maps values, writes numbers as text, and leaves out what is optional and not set', () => {
    const references = [
      { name: 'PORT', connection: 'bank', field: 'port' },
      { name: 'TLS', connection: 'bank', field: 'tls', mapping: { true: 'on', false: 'off' } },
      { name: 'USER', connection: 'bank', field: 'username', is_optional: true },
    ];

    const launch = mcpLaunch(server(PACKAGE, references), CONNECTIONS, PLACE);

    if (launch.type !== 'process') throw new Error('It is a process.');
    expect(revealed(launch.env)).toMatchObject({ PORT: '5432', TLS: 'on' });
    expect(launch.env).not.toHaveProperty('USER');
  });

  it.each([
    ['a field that is not set', { field: 'password' }],
    ['a connection that is not there', { connection: 'other', field: 'token' }],
    ['a value that is not mapped', { field: 'database', mapping: { a: 'b' } }],
  ])('refuses %s, and names no value', (_case, reference) => {
    const refused = server(PACKAGE, [{ name: 'X', connection: 'bank', ...reference }]);

    expect(() => mcpLaunch(refused, CONNECTIONS, PLACE)).toThrow(/^(?!.*books\.db).*$/);
  });

  it.each([
    '/etc/passwd',
    '../other/books.db',
    'a/../../b',
    'x?mode=rw',
    '%2e%2e/x',
    '',
    '.ssh/id',
  ])('refuses a file that is not below the workspace: %j', (database) => {
    const reference = { name: 'DSN', connection: 'bank', field: 'database' };
    const prefix = 'sqlite://{workspace}/';
    const connections: McpConnections = new Map([['bank', { database }]]);

    expect(() =>
      mcpLaunch(server(PACKAGE, [{ ...reference, prefix }]), connections, PLACE),
    ).toThrow('below the workspace');
  });

  it('takes a file below the workspace', () => {
    const reference = { name: 'DSN', connection: 'bank', field: 'database' };
    const prefix = 'sqlite://{workspace}/';

    const launch = mcpLaunch(server(PACKAGE, [{ ...reference, prefix }]), CONNECTIONS, PLACE);

    expect(launch.type === 'process' && launch.env['DSN']?.reveal()).toBe(
      'sqlite:///work/s1/books.db',
    );
  });

  it('starts the program of an operator', () => {
    const command = { command: '/opt/wiki', arguments: ['--quiet'], environment: {} };

    const launch = mcpLaunch(server({ type: 'command', ...command }), CONNECTIONS, PLACE);

    expect(launch).toMatchObject({ type: 'process', command: '/opt/wiki', args: ['--quiet'] });
  });
});
