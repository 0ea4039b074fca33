import { readFileSync } from 'node:fs';
import { type McpServer, mcpServer } from '@soma/contracts';
import { parse } from 'yaml';
import { z } from 'zod';

const operatorFile = z.strictObject({
  servers: z.array(mcpServer.omit({ source: true })).superRefine((servers, context) => {
    const names = servers.map(({ name }) => name);
    for (const [index, name] of names.entries()) {
      if (names.indexOf(name) === index) continue;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${name}" comes twice` });
    }
  }),
});

/** What a file of servers holds, and all that is wrong with it. */
interface OperatorServers {
  servers: McpServer[];
  faults: string[];
}

/** The servers that the operator gives to every tenant, from a file of YAML or JSON. */
export function readOperatorServers(path: string): OperatorServers {
  try {
    const { data, error } = operatorFile.safeParse(parse(readFileSync(path, 'utf8')));
    return {
      servers: (data?.servers ?? []).map((server) => ({ ...server, source: 'operator' })),
      faults: (error?.issues ?? []).map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    };
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split('\n');
    return { servers: [], faults: [`cannot be read: ${reason}`] };
  }
}
