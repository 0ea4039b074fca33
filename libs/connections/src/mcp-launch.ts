import { join } from 'node:path';
import type { McpServer } from '@soma/contracts';
import { Secret } from '@soma/kernel';

/** Stands for the folder that a server may use. */
const WORKSPACE = '{workspace}';
/** A file below the workspace, which can also stand in a URL as it is. */
const INSIDE = /^(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_. -]*(\/[A-Za-z0-9_][A-Za-z0-9_. -]*)*$/;

/** Where a server that is a process finds what it needs. */
export interface McpPlace {
  /** The folder in which the packages of `infra/mcp-servers` are installed. */
  packages: string;
  /** The folder that the server may use. It is its home, too. */
  workspace: string;
}

/** What the connections hold that a server refers to, by connection and field, at this moment. */
export type McpConnections = ReadonlyMap<
  string,
  Readonly<Record<string, Secret | string | number | boolean | undefined>>
>;

/**
 * How a server is started or reached. What comes from a connection is in the environment or in a
 * header, and never among the arguments, which every process of the machine may read.
 */
export type McpLaunch =
  | { type: 'process'; command: string; args: string[]; env: Record<string, Secret> }
  | { type: 'http'; url: string; headers: Record<string, Secret> };

/** A server cannot be started with what its connections hold. The message names no value. */
export class McpLaunchError extends Error {
  override readonly name = 'McpLaunchError';
}

/**
 * Puts a server and the fields that it refers to together. Nobody keeps the result: it is made when
 * the server is started, and holds secrets.
 *
 * The process gets the environment that is named here and nothing of the starter's own.
 *
 * @throws {@link McpLaunchError} where a field is not set, or is nothing that the server may have
 */
export function mcpLaunch(
  server: McpServer,
  connections: McpConnections,
  place: McpPlace,
): McpLaunch {
  const { transport } = server;
  const referred = referredValues(server, connections, place);
  const plain = (values: Record<string, string>): Record<string, Secret> =>
    mapValues(values, (value) => new Secret(inPlace(value, place)));
  if (transport.type === 'streamable_http') {
    return {
      type: 'http',
      url: transport.url,
      headers: { ...plain(transport.headers), ...referred },
    };
  }
  const args = transport.arguments.map((argument) => inPlace(argument, place));
  const home = { HOME: new Secret(place.workspace) };
  const env = { ...home, ...plain(transport.environment), ...referred };
  if (transport.type === 'command') {
    return { type: 'process', command: transport.command, args, env };
  }
  const { name, executable } = transport.package;
  const program = join(place.packages, 'node_modules', name, executable);
  return { type: 'process', command: process.execPath, args: [program, ...args], env };
}

type Reference = McpServer['references'][number];

function referredValues(
  { name: server, references }: McpServer,
  connections: McpConnections,
  place: McpPlace,
): Record<string, Secret> {
  const values: Record<string, Secret> = {};
  for (const reference of references) {
    const value = textOf(connections.get(reference.connection)?.[reference.field]);
    if (value !== undefined) {
      values[reference.name] = new Secret(toValue(reference, value, place));
    } else if (!reference.is_optional) {
      throw new McpLaunchError(
        `${server} needs "${reference.field}" of the connection "${reference.connection}", which is not set.`,
      );
    }
  }
  return values;
}

function toValue({ field, prefix, mapping }: Reference, value: string, place: McpPlace): string {
  if (prefix.includes(WORKSPACE) && !INSIDE.test(value)) {
    throw new McpLaunchError(`"${field}" must be a file below the workspace.`);
  }
  const mapped = mapping === undefined ? value : new Map(Object.entries(mapping)).get(value);
  if (mapped === undefined) {
    throw new McpLaunchError(`"${field}" is nothing that the server knows.`);
  }
  return inPlace(prefix, place) + mapped;
}

function textOf(value: Secret | string | number | boolean | undefined): string | undefined {
  return value instanceof Secret ? value.reveal() : value?.toString();
}

function inPlace(text: string, { workspace }: McpPlace): string {
  return text.replaceAll(WORKSPACE, () => workspace);
}

function mapValues<From, To>(
  record: Record<string, From>,
  map: (value: From) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
