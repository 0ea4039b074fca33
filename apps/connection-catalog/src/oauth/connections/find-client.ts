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
import { assertOnWeb, providerUnusable } from '../protocol/provider-problem.ts';
import { providerNames, providerOf, quirksOf } from '../protocol/provider-quirks.ts';
import type { OAuthConnection } from './oauth-connections.ts';

/** The fields of an `oauth_app` that matter here; its type has checked them. */
const oauthApp = z.object({
  /** Without one Soma registers a client by itself. */
  client_id: z.string().optional(),
  auth_url: z.url().optional(),
  token_url: z.url().optional(),
  device_url: z.url().optional(),
  revocation_url: z.url().optional(),
  issuer: z.url().optional(),
  provider: z.enum(providerNames).optional(),
  client_authentication: clientAuthentication.optional(),
  scopes: z.array(z.string()).default([]),
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
    const app = appOf(connection);
    const place = await this.findPlace(app, connection.bound_to);
    const { client_id } = app;
    if (client_id !== undefined) {
      const hasSecret = connection.client_secret_version !== null;
      const authentication = hasSecret ? authenticationOf(app, place) : 'none';
      return { client: { ...place.client, client_id, authentication, registered_for: null } };
    }
    const registered_for = this.settings.redirectUri;
    if (known?.registered_for === registered_for && known.issuer === place.client.issuer) {
      return { client: { ...known, ...place.client } };
    }
    const { clientId, authentication, clientSecret } = await this.register(place);
    return {
      client: { ...place.client, client_id: clientId, authentication, registered_for },
      registration: { secret: clientSecret },
    };
  }

  /** Where the provider is, whoever the client is there. */
  private async findPlace(app: OAuthApp, bound_to: string | null): Promise<Place> {
    const guarded = await this.findGuarded(app);
    const has_pkce = guarded.isPkceDemanded || this.isPkceWanted(app);
    const server = await this.findServer(app.issuer ?? guarded.issuer, has_pkce);
    const tokenEndpoint = app.token_url ?? server?.token_endpoint;
    if (tokenEndpoint === undefined) {
      throw providerUnusable('Neither the connection nor its issuer names a token endpoint.');
    }
    const endpoints = endpointsOf(app, server);
    assertOnWeb(endpoints.authorization_endpoint);
    const client = {
      ...{ ...endpoints, bound_to },
      ...{ token_endpoint: tokenEndpoint, provider: app.provider ?? providerOf(tokenEndpoint) },
      scopes: app.scopes.length > 0 ? app.scopes : guarded.scopes,
      resource: guarded.resource,
      audience: orNull(app.audience),
      has_pkce,
    };
    return { server, client };
  }

  /** An MCP server says itself whom it trusts, and MCP demands PKCE of everybody. */
  private async findGuarded({ issuer, token_url, resource }: OAuthApp): Promise<Guarded> {
    if (issuer !== undefined || token_url !== undefined || resource === undefined) {
      return { resource: orNull(resource), issuer: undefined, scopes: [], isPkceDemanded: false };
    }
    const found = await this.discovery.findResource(new URL(resource));
    return { ...found, isPkceDemanded: true };
  }

  private isPkceWanted({ pkce_required }: OAuthApp): boolean {
    return pkce_required ?? this.settings.isPkceRequired;
  }

  private register({ server, client }: Place): Promise<Registration> {
    if (server?.registration_endpoint === undefined) {
      throw providerUnusable(
        'The provider lets nobody register by program. Register a client there by hand, and name it ' +
          'in a connection of type oauth_app (client_id, client_secret).',
      );
    }
    const { redirectUri } = this.settings;
    return this.discovery.register(server, { redirectUri, scopes: client.scopes });
  }

  private async findServer(
    issuer: string | undefined,
    hasPkce: boolean,
  ): Promise<FoundServer | undefined> {
    if (issuer === undefined) {
      return undefined;
    }
    const server = await this.discovery.findServer(issuer);
    const { code_challenge_methods_supported: methods, token_endpoint } = server;
    if (hasPkce && methods !== undefined && !methods.includes('S256')) {
      throw providerUnusable('The provider offers PKCE without S256.');
    }
    if (token_endpoint === undefined) {
      throw providerUnusable('The provider names no token endpoint.');
    }
    return { ...server, token_endpoint };
  }
}

type FoundServer = AuthorizationServer & { token_endpoint: string };

/** For what a token is to be, as far as that decides who gives it. */
interface Guarded {
  resource: string | null;
  issuer: string | undefined;
  scopes: string[];
  isPkceDemanded: boolean;
}

/** A provider, and what of a client is its doing. */
interface Place {
  server: FoundServer | undefined;
  client: Omit<OAuthClient, 'client_id' | 'authentication' | 'registered_for'>;
}

/** An `mcp` connection is a client that names nothing but the resource. */
function appOf(connection: OAuthConnection): OAuthApp {
  const server = mcpServer.safeParse(connection.fields);
  if (connection.type === 'mcp' && server.success) {
    return { resource: server.data.url, scopes: server.data.scopes };
  }
  if (connection.type !== 'oauth_app') {
    throw new Problem({
      status: 422,
      code: 'connection_without_oauth',
      detail:
        'A connection of this type is not authorised by OAuth. Types that are: oauth_app, and mcp ' +
        'with a url.',
    });
  }
  return oauthApp.parse(connection.fields);
}

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

function authenticationOf(app: OAuthApp, { server, client }: Place): OAuthClient['authentication'] {
  const known = server && authenticationAt(server);
  return (
    app.client_authentication ??
    (known === 'none' ? undefined : known) ??
    quirksOf(client.provider).authentication ??
    'client_secret_basic'
  );
}
