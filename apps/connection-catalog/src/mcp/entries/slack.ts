import { mcpCatalogEntry } from '@soma/contracts';

/**
 * https://docs.slack.dev/ai/slack-mcp-server/: Slack's own, so that no third party's program holds
 * the token.
 */
export const slack = mcpCatalogEntry.parse({
  entry_id: 'slack',
  name: 'Slack',
  description:
    'Searches and reads channels, sends messages and writes canvases, as the one who agreed.',
  keywords: ['chat', 'messages', 'channels', 'canvas'],
  transport: { type: 'streamable_http', url: 'https://mcp.slack.com/mcp', headers: {} },
  connections: [
    {
      type: 'slack',
      description: 'The token of a user (xoxp-…) of an app for which MCP is on; bots are refused.',
      values: [{ name: 'Authorization', field: 'token', prefix: 'Bearer ' }],
    },
    {
      type: 'oauth_app',
      token_hosts: ['slack.com'],
      description: 'An app of Slack for which MCP is on, through which somebody has signed in.',
      values: [{ name: 'Authorization', field: 'access_token', prefix: 'Bearer ' }],
    },
  ],
  tools: [
    'slack_search_public',
    'slack_search_public_and_private',
    'slack_search_channels',
    'slack_search_users',
    'slack_read_channel',
    'slack_read_thread',
    'slack_read_canvas',
    'slack_read_user_profile',
    'slack_send_message',
    'slack_send_message_draft',
    'slack_schedule_message',
    'slack_create_canvas',
    'slack_update_canvas',
  ],
  license: null,
  source_url: 'https://docs.slack.dev/ai/slack-mcp-server/',
});
