import type { McpCatalogEntry } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { braveSearch } from './entries/brave-search.ts';
import { browser } from './entries/browser.ts';
import { filesystem } from './entries/filesystem.ts';
import { github } from './entries/github.ts';
import { memory } from './entries/memory.ts';
import { postgresql } from './entries/postgresql.ts';
import { slack } from './entries/slack.ts';
import { sqlite } from './entries/sqlite.ts';

/** Every MCP server that can be installed. A new one is a file in `entries` and a line here. */
export const catalogEntries: readonly McpCatalogEntry[] = [
  github,
  slack,
  filesystem,
  postgresql,
  sqlite,
  braveSearch,
  browser,
  memory,
];

/** @throws {@link Problem} 404 `mcp_entry_not_found` */
export function findEntry(entryId: string): McpCatalogEntry {
  const entry = catalogEntries.find(({ entry_id }) => entry_id === entryId);
  if (entry === undefined) {
    throw new Problem({
      status: 404,
      code: 'mcp_entry_not_found',
      detail: `The catalog has no MCP server "${entryId}". See GET /api/v1/integrations/mcp/catalog.`,
    });
  }
  return entry;
}

/** The entries that say every word somewhere; those whose name says one come first. */
export function searchEntries(query: string): McpCatalogEntry[] {
  const words = query.toLowerCase().split(/\s+/);
  const found = catalogEntries.filter((entry) => {
    const text = textOf(entry);
    return words.every((word) => text.includes(word));
  });
  const isNamed = ({ name }: McpCatalogEntry): boolean =>
    words.some((word) => name.toLowerCase().includes(word));
  return [...found.filter(isNamed), ...found.filter((entry) => !isNamed(entry))];
}

function textOf({ entry_id, name, description, keywords, tools }: McpCatalogEntry): string {
  return [entry_id, name, description, ...keywords, ...tools].join('\n').toLowerCase();
}
