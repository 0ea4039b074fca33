/*
 * What Soma asks of providers, each request once and for ten seconds at most.
 *
 * Whoever calls decides whether to ask again: a code and a refresh token may work once.
 */
import type { OutboundExchange, OutboundRequest, WholeAnswer } from '@soma/http';
import type { Secret } from '@soma/kernel';
import * as oauth from 'oauth4webapi';
import { type OAuthClient, serverOf } from './oauth-client.ts';
import { withPlainErrors } from './provider-error.ts';
import { type ProviderQuirks, quirksOf } from './provider-quirks.ts';
import { standardAnswer } from './token-answer.ts';

/** How long a provider may take. */
export const PROVIDER_TIMEOUT_MS = 10_000;

/** What oauth4webapi hands to whatever sends its requests. */
export interface LibraryRequest {
  method: string;
  headers: Record<string, string>;
  body?: string | URLSearchParams | undefined;
  signal?: AbortSignal | undefined;
}

/** The way out: as `fetch`, and only to where a tenant may send us. It follows no redirect. */
export type OutboundFetch = (url: string, request: OutboundRequest) => Promise<Response>;

/**
 * Lets the library send to `http:` too: which hosts may be reached so is decided by the way out. The
 * library has the option, and marks it as deprecated for it to stand out.
 */
export const anyScheme: Record<symbol, boolean> = {
  [Reflect.get(oauth, 'allowInsecureRequests') as symbol]: true,
};

/** What a provider gave. */
export interface GivenTokens {
  accessToken: string;
  /** Undefined where it gave none: an earlier one stays good (RFC 6749 §6). */
  refreshToken: string | undefined;
  expiresInSeconds: number | undefined;
  scope: string | undefined;
}

/** A client, and what it proves itself with. */
export interface ProvenClient {
  client: OAuthClient;
  secret: Secret | undefined;
}

/** What a browser brought back, after `validateAuthResponse`. */
export interface CodeExchange {
  parameters: URLSearchParams;
  redirectUri: string;
  codeVerifier: string;
}

/** The same way out, for one request whose answer is read whole. */
export type OutboundAsk = (url: string, request: OutboundExchange) => Promise<WholeAnswer>;

/** Asks providers for tokens. */
export class ProviderClient {
  constructor(private readonly send: OutboundAsk) {}

  exchangeCode(proven: ProvenClient, exchange: CodeExchange): Promise<GivenTokens> {
    const { client } = proven;
    const { parameters, redirectUri, codeVerifier } = exchange;
    const known = [
      serverOf(client),
      { client_id: client.client_id },
      authenticationOf(proven),
    ] as const;
    return this.askForTokens(client, (options) =>
      client.has_pkce
        ? oauth.authorizationCodeGrantRequest(...known, parameters, redirectUri, codeVerifier, {
            ...options,
            additionalParameters: targetOf(client),
          })
        : oauth.genericTokenEndpointRequest(
            ...known,
            'authorization_code',
            {
              ...targetOf(client),
              code: parameters.get('code') ?? '',
              redirect_uri: redirectUri,
            },
            options,
          ),
    );
  }

  refresh(proven: ProvenClient, refreshToken: Secret): Promise<GivenTokens> {
    const { client } = proven;
    return this.askForTokens(client, (options) =>
      oauth.refreshTokenGrantRequest(
        serverOf(client),
        { client_id: client.client_id },
        authenticationOf(proven),
        refreshToken.reveal(),
        { ...options, additionalParameters: targetOf(client) },
      ),
    );
  }

  clientCredentials(proven: ProvenClient): Promise<GivenTokens> {
    const { client } = proven;
    return this.askForTokens(client, (options) =>
      oauth.clientCredentialsGrantRequest(
        serverOf(client),
        { client_id: client.client_id },
        authenticationOf(proven),
        { ...scopeOf(client), ...targetOf(client) },
        options,
      ),
    );
  }

  /** Asks for a code that a person enters elsewhere (RFC 8628 §3.1). */
  beginDeviceFlow(proven: ProvenClient): Promise<oauth.DeviceAuthorizationResponse> {
    const { client } = proven;
    const server = serverOf(client);
    const known = { client_id: client.client_id };
    return withPlainErrors(triedAt(client.device_authorization_endpoint), async () => {
      const response = await oauth.deviceAuthorizationRequest(
        server,
        known,
        authenticationOf(proven),
        { ...scopeOf(client), ...targetOf(client) },
        this.options(quirksOf(client.provider)),
      );
      return oauth.processDeviceAuthorizationResponse(server, known, response);
    });
  }

  /** Asks once whether the person has agreed. Not yet is a refusal: `authorization_pending`. */
  pollDevice(proven: ProvenClient, deviceCode: Secret): Promise<GivenTokens> {
    const { client } = proven;
    return this.askForTokens(client, (options) =>
      oauth.deviceCodeGrantRequest(
        serverOf(client),
        { client_id: client.client_id },
        authenticationOf(proven),
        deviceCode.reveal(),
        options,
      ),
    );
  }

  /** RFC 7009. A token that the provider does not know is revoked too. */
  async revoke(proven: ProvenClient, token: Secret, type: string): Promise<void> {
    const { client } = proven;
    await withPlainErrors(triedAt(client.revocation_endpoint), async () => {
      const response = await oauth.revocationRequest(
        serverOf(client),
        { client_id: client.client_id },
        authenticationOf(proven),
        token.reveal(),
        {
          ...this.options(quirksOf(client.provider)),
          additionalParameters: { token_type_hint: type },
        },
      );
      await oauth.processRevocationResponse(response);
    });
  }

  private askForTokens(
    client: OAuthClient,
    ask: (options: oauth.TokenEndpointRequestOptions) => Promise<Response>,
  ): Promise<GivenTokens> {
    return withPlainErrors(triedAt(client.token_endpoint), async () => {
      const response = await ask(this.options(quirksOf(client.provider)));
      const known = { client_id: client.client_id };
      const tokens = await oauth.processGenericTokenEndpointResponse(
        serverOf(client),
        known,
        response,
      );
      return {
        accessToken: tokens.access_token,
        refreshToken: tokens.refresh_token,
        expiresInSeconds: tokens.expires_in,
        scope: tokens.scope,
      };
    });
  }

  private options(quirks: ProviderQuirks): oauth.TokenEndpointRequestOptions {
    return {
      ...anyScheme,
      [oauth.customFetch]: (url, init) => this.sendStandard(url, init, quirks),
    };
  }

  private async sendStandard(
    url: string,
    { method, headers, body: asked, signal }: LibraryRequest,
    quirks: ProviderQuirks,
  ): Promise<Response> {
    const request = { method, headers, body: asked?.toString(), signal: signal ?? null };
    const { headers: told, ...answer } = await this.send(url, request);
    const contentType = told.get('content-type') ?? '';
    const retryAfter = told.get('retry-after');
    const { status, body } = standardAnswer(
      { ...answer, contentType, retryAfter },
      quirks,
      triedAt(url),
    );
    return Response.json(body, { status });
  }
}

/** The same request, for the way out. */
export function toRequest({ method, headers, body, signal }: LibraryRequest): OutboundRequest {
  return { method, headers, body: body ?? null, signal: signal ?? null };
}

/** For a log: the address without a query. */
function triedAt(endpoint: string | null): string {
  const { origin, pathname } = new URL(endpoint ?? 'about:blank');
  return `POST ${origin}${pathname}`;
}

function authenticationOf({ client, secret }: ProvenClient): oauth.ClientAuth {
  if (client.authentication === 'none' || secret === undefined) {
    return oauth.None();
  }
  return client.authentication === 'client_secret_post'
    ? oauth.ClientSecretPost(secret.reveal())
    : oauth.ClientSecretBasic(secret.reveal());
}

/** Whom the token is for, in each request that asks for one (RFC 8707 §2). */
export function targetOf({ resource, audience }: OAuthClient): Record<string, string> {
  return { ...(resource !== null && { resource }), ...(audience !== null && { audience }) };
}

/** The scopes, joined as the provider wants them. */
export function scopeOf({ scopes, provider }: OAuthClient): Record<string, string> {
  const scope = scopes.join(quirksOf(provider).scopeSeparator ?? ' ');
  return scope === '' ? {} : { scope };
}
