/*
 * How a connection speaks to its provider, found out when somebody starts to authorise it.
 *
 * An `oauth_app` says so itself, in whole or by naming an issuer whose metadata says the rest. An `mcp`
 * connection names a server: whom it trusts is asked there, and who we are to them is registered once
 * and kept with the connection.
 */
import { Injectable } from '@nestjs/common';
import { Problem, type Secret } from '@soma/kernel';
import type { AuthorizationServer } from 'oauth4webapi';
import { z } from 'zod';
import { authenticationAt, Discovery, type Registration } from '../protocol/discovery.ts';
import { clientAuthentication, type OAuthClient } from '../protocol/oauth-client.ts';
import { providerNames, providerOf, quirksOf } from '../protocol/provider-quirks.ts';
import type { OAuthConnection } from './oauth-connections.ts';

/** The fields of an `oauth_app` that matter here; its type has checked them. */
const oauthApp = z.object({
  client_id: z.string(),
  auth_url: z.url().optional(),
  token_url: z.url().optional(),
  device_url: z.url().optional(),
  revocation_url: z.url().optional(),
  issuer: z.url().optional(),
  provider: z.enum(providerNames).optional(),
  client_authentication: clientAuthentication.optional(),
  scopes: z.union([z.string(), z.array(z.string())]).optional(),
  audience: z.string().optional(),
  resource: z.url().optional(),
  pkce_required: z.boolean().optional(),
});
type OAuthApp = z.output<typeof oauthApp>;

const mcpServer = z.object({ url: z.url(), scopes: oauthApp.shape.scopes });

/** A client. */
export interface FoundClient {
  client: OAuthClient;
  /** Whether it was registered just now, and with which secret. */
  registration?: { secret: Secret | undefined };
}

/** What is decided by the service. */
export interface ClientSettings {
  redirectUri: string;
  /** Whether PKCE is used where a connection does not say. */
  isPkceRequired: boolean;
}

/** Finds out how a connection speaks to its provider. */
@Injectable()
export class FindClient {
  constructor(
    private readonly discovery: Discovery,
    private readonly settings: ClientSettings,
  ) {}

  /**
   * @param known - The client that the connection has worked with: who registered once does not again.
   * @throws {@link Problem} 422 `connection_without_oauth` or `oauth_provider_unusable`
   */
  async execute(connection: OAuthConnection, known?: OAuthClient): Promise<FoundClient> {
    if (connection.type === 'oauth_app') {
      const app = oauthApp.parse(connection.fields);
      return { client: await this.ofApp(app, connection) };
    }
    const server = mcpServer.safeParse(connection.fields);
    if (connection.type !== 'mcp' || !server.success) {
      throw new Problem({
        status: 422,
        code: 'connection_without_oauth',
        detail:
          'A connection of this type is not authorised by OAuth. Types that are: oauth_app, and mcp ' +
          'with a url.',
      });
    }
    return this.ofServer(server.data, known);
  }

  private async ofApp(app: OAuthApp, connection: OAuthConnection): Promise<OAuthClient> {
    const server = app.issuer === undefined ? undefined : await this.findServer(app.issuer);
    const tokenEndpoint = app.token_url ?? server?.token_endpoint;
    if (tokenEndpoint === undefined) {
      throw unusable('Neither the connection nor its issuer names a token endpoint.');
    }
    const provider = app.provider ?? providerOf(tokenEndpoint);
    const hasSecret = connection.client_secret_version !== null;
    return {
      ...{ provider, ...endpointsOf(app, server), token_endpoint: tokenEndpoint },
      client_id: app.client_id,
      authentication: hasSecret ? authenticationOf(app, server, provider) : 'none',
      scopes: listed(app.scopes),
      resource: orNull(app.resource),
      audience: orNull(app.audience),
      has_pkce: app.pkce_required ?? this.settings.isPkceRequired,
      registered_for: null,
    };
  }

  private async ofServer(
    { url, scopes }: z.output<typeof mcpServer>,
    known: OAuthClient | undefined,
  ): Promise<FoundClient> {
    const resource = await this.discovery.findResource(new URL(url));
    const [issuer = new URL(url).origin] = resource.authorization_servers;
    const server = await this.findServer(issuer);
    const wanted = scopes === undefined ? resource.scopes_supported : listed(scopes);
    const target = {
      ...{ provider: null, ...endpointsOf({}, server), scopes: wanted },
      ...{ token_endpoint: server.token_endpoint, resource: resource.resource, audience: null },
      // MCP asks for it of every client and every server.
      has_pkce: true,
      registered_for: this.settings.redirectUri,
    };
    if (known?.issuer === server.issuer && known.registered_for === target.registered_for) {
      return { client: { ...known, ...target } };
    }
    const { clientId, authentication, clientSecret } = await this.register(server, wanted);
    return {
      client: { ...target, client_id: clientId, authentication },
      registration: { secret: clientSecret },
    };
  }

  private register(server: FoundServer, scopes: string[]): Promise<Registration> {
    if (server.registration_endpoint === undefined) {
      throw unusable(
        'The authorization server of this MCP server lets nobody register. Make a connection of ' +
          'type oauth_app with a client that you register there by hand.',
      );
    }
    return this.discovery.register(server, { redirectUri: this.settings.redirectUri, scopes });
  }

  private async findServer(issuer: string): Promise<FoundServer> {
    const server = await this.discovery.findServer(issuer);
    const { code_challenge_methods_supported: methods, token_endpoint } = server;
    if (methods !== undefined && !methods.includes('S256')) {
      throw unusable('The provider offers PKCE without S256.');
    }
    if (token_endpoint === undefined) {
      throw unusable('The provider names no token endpoint.');
    }
    return { ...server, token_endpoint };
  }
}

type FoundServer = AuthorizationServer & { token_endpoint: string };

type Endpoints = Pick<
  OAuthClient,
  | 'issuer'
  | 'sends_issuer'
  | 'authorization_endpoint'
  | 'device_authorization_endpoint'
  | 'revocation_endpoint'
>;

/** What the connection names goes before what its provider says of itself. */
function endpointsOf(app: Partial<OAuthApp>, server: Partial<FoundServer> = {}): Endpoints {
  return {
    issuer: orNull(server.issuer),
    sends_issuer: server.authorization_response_iss_parameter_supported === true,
    authorization_endpoint: orNull(app.auth_url ?? server.authorization_endpoint),
    device_authorization_endpoint: orNull(app.device_url ?? server.device_authorization_endpoint),
    revocation_endpoint: orNull(app.revocation_url ?? server.revocation_endpoint),
  };
}

function orNull<Value>(value: Value | undefined): Value | null {
  return value ?? null;
}

function authenticationOf(
  app: OAuthApp,
  server: FoundServer | undefined,
  provider: OAuthClient['provider'],
): OAuthClient['authentication'] {
  const known = server && authenticationAt(server);
  return (
    app.client_authentication ??
    (known === 'none' ? undefined : known) ??
    quirksOf(provider).authentication ??
    'client_secret_basic'
  );
}

function listed(scopes: OAuthApp['scopes'] = []): string[] {
  const list = typeof scopes === 'string' ? scopes.split(/[\s,]+/) : scopes;
  return list.filter((scope) => scope !== '');
}

function unusable(detail: string): Problem {
  return new Problem({ status: 422, code: 'oauth_provider_unusable', detail });
}
