import { z } from 'zod';
import { clientAuthentication } from '../oauth/protocol/oauth-client.ts';
import { providerNames } from '../oauth/protocol/provider-quirks.ts';
import {
  bindingField,
  type ConnectionType,
  type FieldFault,
  type FieldValues,
  secretField,
  textField,
  urlField,
} from './connection-type.ts';

/** A client that a tenant has registered at a provider of OAuth 2.1. */
export const oauthApp: ConnectionType = {
  name: 'oauth_app',
  title: 'OAuth 2.1',
  description:
    'A client of an OAuth provider, through which somebody signs in: POST /api/v1/oauth/initiate.',
  fields: z.strictObject({
    client_id: bindingField(textField('The client, as the provider names it.')),
    client_secret: secretField('Its secret. A public client has none.').optional(),
    issuer: urlField('The provider, where it says itself what is where.').optional(),
    auth_url: urlField('Where people agree.').optional(),
    token_url: urlField('Where tokens are made.').optional(),
    device_url: urlField('Where a device asks for a code (RFC 8628).').optional(),
    revocation_url: urlField('Where tokens are revoked (RFC 7009).').optional(),
    base_url: urlField('The API that the tokens are for.').optional(),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/, 'must be a scope (RFC 6749)'))
      .max(100)
      .default([])
      .meta({ description: 'What is asked for.' }),
    audience: bindingField(textField('For which API, at providers that ask for it so.')).optional(),
    resource: urlField('For which API (RFC 8707).').optional(),
    provider: z
      .enum(providerNames)
      .optional()
      .meta({ description: 'Whose peculiarities are minded. Default: seen from token_url.' }),
    client_authentication: clientAuthentication
      .optional()
      .meta({ description: 'How the client proves itself. Default: as the provider says.' }),
    pkce_required: z
      .boolean()
      .optional()
      .meta({ description: '`false` for a provider without PKCE. Default: as the operator says.' }),
  }),
  check: checkEndpoints,
  authorisation: 'always',
  http: {
    baseUrl: { field: 'base_url' },
    credentials: [
      { in: 'header', field: 'access_token', name: 'authorization', prefix: 'Bearer ' },
    ],
  },
};

/** Either the provider is asked what is where, or that stands in the connection. */
function checkEndpoints({ issuer, token_url }: FieldValues): FieldFault[] {
  return issuer === undefined && token_url === undefined
    ? [{ field: 'token_url', message: 'must be set, or issuer' }]
    : [];
}
