import { z } from 'zod';
import {
  type ConnectionType,
  secretField,
  urlField,
  webhookSecretFields,
} from './connection-type.ts';

/** Any HTTP API with a token or a key. */
export const genericHttp: ConnectionType = {
  name: 'generic_http',
  title: 'HTTP API',
  description: 'Any service over HTTP, by a bearer token, a key in a header, or without either.',
  fields: z.strictObject({
    base_url: urlField('Where the API is.'),
    token: secretField('Sent as `Authorization: Bearer …`.').optional(),
    api_key: secretField('Sent in the header of `header_name`.').optional(),
    header_name: z
      .string()
      .max(100)
      // RFC 9110 §5.6.2
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be the name of a header')
      .refine((name) => !RESERVED.has(name.toLowerCase()), 'is a header that is not for keys')
      .default('X-API-Key')
      .meta({ description: 'The header that carries `api_key`.' }),
    ...webhookSecretFields,
  }),
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [
      { in: 'header', field: 'token', name: 'authorization', prefix: 'Bearer ' },
      { in: 'header', field: 'api_key', name: { field: 'header_name' } },
    ],
    health: { method: 'HEAD', path: '', anyAnswer: true },
  },
  receivesWebhooks: true,
};

/** What says how and where a request goes. */
const RESERVED = new Set([
  'connection',
  'content-length',
  'content-type',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
