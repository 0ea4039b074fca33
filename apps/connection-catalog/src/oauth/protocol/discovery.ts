/*
 * How a connection's provider is found out: its metadata (RFC 8414, OpenID Connect Discovery), and for
 * an MCP server first whom it trusts (RFC 9728) and then who we are to them (RFC 7591).
 */
import { Secret } from '@soma/kernel';
import * as oauth from 'oauth4webapi';
import { z } from 'zod';
import {
  anyScheme,
  type LibraryRequest,
  type OutboundFetch,
  toRequest,
} from './provider-client.ts';
import { UnclearAnswer, withPlainErrors } from './provider-error.ts';

/** What a protected resource says of itself; the rest of RFC 9728 §2 is not needed. */
const protectedResource = z.object({
  resource: z.url(),
  authorization_servers: z.array(z.url()).default([]),
  scopes_supported: z.array(z.string()).default([]),
});

/** Whom a protected resource trusts, and what it wants to be called. */
export interface GuardedResource {
  resource: string;
  issuer: string;
  scopes: string[];
}

/** Who we are to a provider that we registered at by ourselves. */
export interface Registration {
  clientId: string;
  clientSecret: Secret | undefined;
  authentication: 'none' | 'client_secret_basic' | 'client_secret_post';
}

/** Asks a provider what it is. */
export class Discovery {
  constructor(private readonly send: OutboundFetch) {}

  /** The metadata of an issuer, which must name itself as it was asked for (RFC 8414 §3.3). */
  async findServer(issuer: string): Promise<oauth.AuthorizationServer> {
    const url = new URL(issuer);
    try {
      return await this.readMetadata(url, 'oauth2');
    } catch (error) {
      if (!(error instanceof UnclearAnswer)) {
        throw error;
      }
      return this.readMetadata(url, 'oidc');
    }
  }

  private readMetadata(
    issuer: URL,
    algorithm: 'oauth2' | 'oidc',
  ): Promise<oauth.AuthorizationServer> {
    return withPlainErrors(`Discovery of ${issuer.origin}${issuer.pathname}`, async () => {
      const response = await oauth.discoveryRequest(issuer, { algorithm, ...this.options() });
      return oauth.processDiscoveryResponse(issuer, response);
    });
  }

  /**
   * Whom an MCP server trusts. One that says nothing is its own authorization server, as MCP had it
   * before RFC 9728.
   */
  async findResource(server: URL): Promise<GuardedResource> {
    for (const address of await this.metadataAddresses(server)) {
      const found = await this.readResource(address, server);
      if (found !== undefined) {
        return found;
      }
    }
    return { resource: server.href, issuer: server.origin, scopes: [] };
  }

  /** RFC 9728 §5.1 first: the server knows best. Then the well-known places (§3.1). */
  private async metadataAddresses(server: URL): Promise<string[]> {
    const wellKnown = '/.well-known/oauth-protected-resource';
    const below = server.pathname === '/' ? '' : server.pathname.replace(/\/$/, '');
    const places = [`${wellKnown}${below}`, wellKnown].map((path) => new URL(path, server).href);
    const named = await this.nameInChallenge(server);
    return [...new Set([...(named === undefined ? [] : [named]), ...places])];
  }

  private async nameInChallenge(server: URL): Promise<string | undefined> {
    const response = await this.send(server.href, {
      headers: { accept: 'application/json, text/event-stream' },
    });
    // A server that lets anybody in may stream an answer that never ends.
    await response.body?.cancel();
    const challenge = response.headers.get('www-authenticate') ?? '';
    const address = /\bresource_metadata="([^"]+)"/.exec(challenge)?.[1];
    // What it names must be its own: elsewhere anybody could say what this server trusts.
    return URL.canParse(address ?? '') && new URL(address ?? '').origin === server.origin
      ? address
      : undefined;
  }

  private async readResource(address: string, server: URL): Promise<GuardedResource | undefined> {
    const response = await this.send(address, {
      headers: { accept: 'application/json' },
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      return undefined;
    }
    const body: unknown = await response.json().catch(() => undefined);
    const { data } = protectedResource.safeParse(body);
    if (data === undefined || !covers(data.resource, server)) {
      return undefined;
    }
    const [issuer = server.origin] = data.authorization_servers;
    return { resource: data.resource, issuer, scopes: data.scopes_supported };
  }

  /** Registers us as a client (RFC 7591). */
  async register(
    server: oauth.AuthorizationServer,
    { redirectUri, scopes }: { redirectUri: string; scopes: string[] },
  ): Promise<Registration> {
    const wanted = authenticationAt(server) ?? 'none';
    const answer = await withPlainErrors(`Registration at ${server.issuer}`, async () => {
      const metadata = {
        client_name: 'Soma',
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: wanted,
        ...(scopes.length > 0 && { scope: scopes.join(' ') }),
      };
      const response = await oauth.dynamicClientRegistrationRequest(
        server,
        metadata,
        this.options(),
      );
      return oauth.processDynamicClientRegistrationResponse(response);
    });
    const secret = answer['client_secret'];
    return {
      clientId: answer.client_id,
      clientSecret: typeof secret === 'string' ? new Secret(secret) : undefined,
      authentication: typeof secret === 'string' ? registeredAs(answer, wanted) : 'none',
    };
  }

  private options(): {
    [oauth.customFetch]: (url: string, init: LibraryRequest) => Promise<Response>;
  } {
    return {
      ...anyScheme,
      [oauth.customFetch]: (url, init) => this.send(url, toRequest(init)),
    };
  }
}

/** How a client proves itself there: the first that the provider takes, the header before the body. */
export function authenticationAt({
  token_endpoint_auth_methods_supported: methods = ['client_secret_basic'],
}: oauth.AuthorizationServer): Registration['authentication'] | undefined {
  const known = ['client_secret_basic', 'client_secret_post', 'none'] as const;
  return known.find((method) => methods.includes(method));
}

function registeredAs(
  { token_endpoint_auth_method: method }: oauth.OmitSymbolProperties<oauth.Client>,
  wanted: Registration['authentication'],
): Registration['authentication'] {
  return method === 'client_secret_post' || method === 'client_secret_basic' ? method : wanted;
}

/** Whether what a metadata document is about is this server, or a folder that it lies in. */
function covers(resource: string, server: URL): boolean {
  const { origin, pathname } = new URL(resource);
  const folder = pathname.endsWith('/') ? pathname : `${pathname}/`;
  const path = server.pathname.endsWith('/') ? server.pathname : `${server.pathname}/`;
  return origin === server.origin && path.startsWith(folder);
}
