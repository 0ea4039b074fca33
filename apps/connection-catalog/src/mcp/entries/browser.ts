import { mcpCatalogEntry } from '@soma/contracts';

/**
 * What came after the archived server for Puppeteer: the people who make Puppeteer build it, on
 * Puppeteer, and it has stable versions and no dependencies. Playwright's server has neither.
 */
export const browser = mcpCatalogEntry.parse({
  entry_id: 'browser',
  name: 'Browser',
  description: 'Drives a Chrome without a window: opens pages, clicks, types, reads and measures.',
  keywords: ['chrome', 'puppeteer', 'web page', 'screenshot', 'automation'],
  transport: {
    type: 'stdio',
    package: {
      name: 'chrome-devtools-mcp',
      version: '1.11.0',
      integrity:
        'sha512-CytJ/5tnzrS+J/74be2P5aCOsS/mmGRHys/Si+IYC4ucrbnWAmES/dYdxGJjeUCECRcoFUilZAysdjlwqUjXIA==',
      executable: 'build/src/bin/chrome-devtools-mcp.js',
    },
    // A profile that is thrown away, and nothing told to anybody.
    arguments: ['--headless', '--isolated', '--no-usage-statistics', '--no-performance-crux'],
    environment: {},
  },
  connections: [],
  tools: [
    'click',
    'close_page',
    'drag',
    'emulate',
    'evaluate_script',
    'fill',
    'fill_form',
    'get_console_message',
    'get_css_styles',
    'get_network_request',
    'handle_dialog',
    'hover',
    'lighthouse_audit',
    'list_console_messages',
    'list_network_requests',
    'list_pages',
    'navigate_page',
    'new_page',
    'performance_analyze_insight',
    'performance_start_trace',
    'performance_stop_trace',
    'press_key',
    'resize_page',
    'screencast_start',
    'screencast_stop',
    'select_page',
    'take_heapsnapshot',
    'take_screenshot',
    'take_snapshot',
    'type_text',
    'upload_file',
    'wait_for',
  ],
  license: 'Apache-2.0',
  source_url: 'https://github.com/ChromeDevTools/chrome-devtools-mcp',
});
