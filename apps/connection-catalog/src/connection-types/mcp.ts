import { z } from 'zod';
import {
  bindingField,
  type ConnectionType,
  type FieldFault,
  type FieldValues,
  secretField,
  textField,
  urlField,
} from './connection-type.ts';

const MAX_ARGUMENTS = 50;

/** https://modelcontextprotocol.io/specification */
export const mcp: ConnectionType = {
  name: 'mcp',
  title: 'MCP server',
  description: 'Tools behind the Model Context Protocol: at an address, or a program to start.',
  fields: z.strictObject({
    url: urlField('Where the server is.').optional(),
    command: bindingField(textField('The program that is the server.')).optional(),
    arguments: bindingField(z.array(z.string().max(1024)).max(MAX_ARGUMENTS))
      .optional()
      .meta({ description: 'What the program is started with. No secret: everybody sees them.' }),
    token: secretField('Sent as `Authorization: Bearer …`.').optional(),
    scopes: z
      .array(z.string().max(256))
      .max(100)
      .optional()
      .meta({ description: 'What is asked for where somebody authorises. Default: all there is.' }),
    headers: textsField('Further headers, as a JSON object of texts.'),
    environment: textsField(
      'What the program finds in its environment, as a JSON object of texts.',
    ),
  }),
  check: checkTransport,
  authorisation: 'possible',
  http: {
    baseUrl: { field: 'url' },
    credentials: [
      { in: 'header', field: 'token', name: 'authorization', prefix: 'Bearer ' },
      { in: 'header', field: 'access_token', name: 'authorization', prefix: 'Bearer ' },
    ],
  },
};

/** A secret that is several. What is wrong with it is said when it is written, not when it is used. */
function textsField(description: string): z.ZodOptional<z.ZodString> {
  return secretField(description).refine(isTexts, 'must be a JSON object of texts').optional();
}

function isTexts(text: string): boolean {
  try {
    return z.record(z.string(), z.string()).safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

function checkTransport({ url, command }: FieldValues): FieldFault[] {
  return (url === undefined) === (command === undefined)
    ? [{ field: 'url', message: 'must be set, or command, and not both' }]
    : [];
}
