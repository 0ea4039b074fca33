import { mcpCatalogEntry } from '@soma/contracts';

/** The reference server for files. */
export const filesystem = mcpCatalogEntry.parse({
  entry_id: 'filesystem',
  name: 'Filesystem',
  description: 'Reads, writes, moves and searches files below the workspace of the session.',
  keywords: ['files', 'folders', 'local'],
  transport: {
    type: 'stdio',
    package: {
      name: '@modelcontextprotocol/server-filesystem',
      version: '2026.8.31',
      integrity:
        'sha512-kKaFkyAh6oipvc9+EAbJ552JafnMnOq5nzmzWkp1jJdBhTAAGpmIpWihUG1+rfNhmEFM98gUZDdCHCDD4v6a7Q==',
      executable: 'dist/index.js',
    },
    arguments: ['{workspace}'],
    environment: {},
  },
  connections: [],
  tools: [
    'read_file',
    'read_text_file',
    'read_media_file',
    'read_multiple_files',
    'write_file',
    'edit_file',
    'create_directory',
    'list_directory',
    'list_directory_with_sizes',
    'directory_tree',
    'move_file',
    'search_files',
    'get_file_info',
    'list_allowed_directories',
  ],
  license: 'MIT',
  source_url: 'https://github.com/modelcontextprotocol/servers/tree/main/src/filesystem',
});
