import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import type { McpCatalogEntry } from '@soma/contracts';
import { catalogEntries, findEntry, searchEntries } from './catalog-entries.ts';

interface Lock {
  packages: Record<string, { version: string; integrity: string; bin?: Record<string, string> }>;
}

const lock = JSON.parse(
  readFileSync(new URL('../../../../infra/mcp-servers/package-lock.json', import.meta.url), 'utf8'),
) as Lock;

/** https://github.com/modelcontextprotocol/servers-archived */
const ARCHIVED = ['brave-search', 'github', 'postgres', 'puppeteer', 'slack', 'sqlite'].map(
  (name) => `@modelcontextprotocol/server-${name}`,
);

type McpPackage = Extract<McpCatalogEntry['transport'], { package: unknown }>['package'];

function packageOf({ transport }: McpCatalogEntry): McpPackage | undefined {
  return transport.type === 'stdio' ? transport.package : undefined;
}

describe('the catalog of MCP servers', () => {
  it('covers the eight everyday needs, each once', () => {
    expect(catalogEntries.map(({ entry_id }) => entry_id)).toEqual([
      ...['github', 'slack', 'filesystem', 'postgresql', 'sqlite'],
      ...['brave-search', 'browser', 'memory'],
    ]);
  });

  it.each(catalogEntries.flatMap((entry) => packageOf(entry) ?? []))(
    'pins $name as the lock does, by which it is installed',
    (pinned) => {
      const locked = lock.packages[`node_modules/${pinned.name}`];

      expect(pinned).toMatchObject({ version: locked?.version, integrity: locked?.integrity });
      expect(Object.values(locked?.bin ?? {})).toContain(pinned.executable);
    },
  );

  it('locks every package below them by its hash', () => {
    const { '': root, ...packages } = lock.packages;

    expect(root).toBeDefined();
    expect(Object.keys(packages).length).toBeGreaterThan(100);
    expect(
      Object.entries(packages).filter(([, { integrity }]) => !integrity.startsWith('sha512-')),
    ).toEqual([]);
  });

  it('has no archived server', () => {
    expect(
      catalogEntries.filter((entry) => ARCHIVED.includes(packageOf(entry)?.name ?? '')),
    ).toEqual([]);
  });

  it('names remote servers by https', () => {
    const urls = catalogEntries.flatMap(({ transport }) =>
      transport.type === 'streamable_http' ? [new URL(transport.url).protocol] : [],
    );

    expect(urls).toEqual(['https:', 'https:']);
  });

  it('says 404 for what it does not have', () => {
    expect(findEntry('github').name).toBe('GitHub');
    expect(() => findEntry('toString')).toThrow(
      expect.objectContaining({ status: 404, code: 'mcp_entry_not_found' }),
    );
  });

  it.each([
    ['SQL', ['postgresql', 'sqlite']],
    ['sql file', ['sqlite']],
    ['  pull  REQUESTS ', ['github']],
    ['search', ['brave-search', 'github', 'slack', 'filesystem', 'postgresql', 'sqlite', 'memory']],
    ['nothing of the kind', []],
  ])('finds %j', (query, entries) => {
    expect(searchEntries(query.trim()).map(({ entry_id }) => entry_id)).toEqual(entries);
  });
});
