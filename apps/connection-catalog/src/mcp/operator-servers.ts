import { readFileSync } from 'node:fs';
import { type McpServer, mcpServer } from '@soma/contracts';
import { ConfigError } from '@soma/kernel';
import { parse } from 'yaml';
import { z } from 'zod';

const SETTING = 'INTEGRATIONS_MCP_CATALOG_SERVERS_FILE';

const operatorFile = z.strictObject({
  servers: z.array(mcpServer.omit({ source: true })).superRefine((servers, context) => {
    const names = servers.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${name}" comes twice` });
    }
  }),
});

/**
 * The servers that the operator gives to every tenant, from a file of YAML or JSON.
 *
 * @throws {@link ConfigError} with everything that is wrong with it
 */
export function readOperatorServers(path: string | undefined): McpServer[] {
  if (path === undefined) {
    return [];
  }
  const { success, data, error } = operatorFile.safeParse(readYaml(path));
  if (!success) {
    throw new ConfigError(`${SETTING}: ${path} has faults:\n${z.prettifyError(error)}`);
  }
  return data.servers.map((server) => ({ ...server, source: 'operator' }));
}

function readYaml(path: string): unknown {
  try {
    return parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`${SETTING}: ${path} cannot be read: ${reason}`);
  }
}
