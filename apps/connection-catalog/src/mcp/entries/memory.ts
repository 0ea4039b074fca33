import { mcpCatalogEntry } from '@soma/contracts';

/** The reference server for what is to be remembered. */
export const memory = mcpCatalogEntry.parse({
  entry_id: 'memory',
  name: 'Memory',
  description: 'Remembers entities and how they relate, in a graph in the workspace.',
  keywords: ['knowledge graph', 'notes', 'recall'],
  transport: {
    type: 'stdio',
    package: {
      name: '@modelcontextprotocol/server-memory',
      version: '2026.8.31',
      integrity:
        'sha512-ljj/3S4aGjxdNSQWw6gucKKGnTLdBPWxzapyY/MT2tOVyZwvxChvevXSLPwx59nKJAlVpUVW+cOlnVRXRwiqMQ==',
      executable: 'dist/index.js',
    },
    arguments: [],
    environment: { MEMORY_FILE_PATH: '{workspace}/memory.jsonl' },
  },
  connections: [],
  tools: [
    'create_entities',
    'create_relations',
    'add_observations',
    'delete_entities',
    'delete_observations',
    'delete_relations',
    'read_graph',
    'search_nodes',
    'open_nodes',
  ],
  license: 'MIT',
  source_url: 'https://github.com/modelcontextprotocol/servers/tree/main/src/memory',
});
