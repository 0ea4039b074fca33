import { mcpCatalogEntry } from '@soma/contracts';

/** Brave's own server; the reference server for it is archived. */
export const braveSearch = mcpCatalogEntry.parse({
  entry_id: 'brave-search',
  name: 'Brave Search',
  description: 'Searches the web, news, images, videos and places with Brave.',
  keywords: ['web search', 'news', 'internet'],
  transport: {
    type: 'stdio',
    package: {
      name: '@brave/brave-search-mcp-server',
      version: '2.1.4',
      integrity:
        'sha512-a34HBs6os4Ilp0yHPV/j3UrgBQH1uTDLsNA9y5IlO30RCYUFm9QPfC0coh2c7WEDxKcHuWjVsrfuXIJNheu9YA==',
      executable: 'dist/index.js',
    },
    arguments: [],
    environment: {},
  },
  connections: [
    {
      type: 'brave_search',
      description: 'Its subscription token.',
      values: [{ name: 'BRAVE_API_KEY', field: 'api_key' }],
    },
  ],
  tools: [
    'brave_web_search',
    'brave_local_search',
    'brave_video_search',
    'brave_image_search',
    'brave_news_search',
    'brave_summarizer',
    'brave_llm_context',
    'brave_place_search',
  ],
  license: 'MIT',
  source_url: 'https://github.com/brave/brave-search-mcp-server',
});
