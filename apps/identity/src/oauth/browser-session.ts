import { Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Problem } from '@soma/kernel';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type OAuthOptions, OAUTH_OPTIONS, CLIENTS } from './oauth-options.ts';
import { OidcRecords } from './oidc-records.ts';
import { type HeldToken, readRefreshCookie } from './refresh-cookie.ts';
import type { RegisteredClients } from './registered-clients.ts';

/** An answer of the token endpoint. */
export interface TokenAnswer {
  body: unknown;
  cookies: string[];
}

/** The sign-in that a browser holds by its cookie. */
@Injectable()
export class BrowserSession {
  private readonly origins: ReadonlySet<string>;

  constructor(
    @Inject(OAUTH_OPTIONS) options: OAuthOptions,
    @Inject(CLIENTS) clients: RegisteredClients,
    private readonly records: OidcRecords,
    private readonly adapter: HttpAdapterHost,
  ) {
    const addresses = [...clients.values()].flatMap((client) =>
      client.type === 'ui' ? client.redirect_uris : [],
    );
    this.origins = new Set(
      [options.issuer, options.apiBaseUrl, ...addresses].map((address) => new URL(address).origin),
    );
  }

  /**
   * A new access token, for the refresh token in the cookie.
   *
   * @throws {@link Problem} 401 when the browser holds none, or one that is not good any more.
   */
  async refresh(request: FastifyRequest): Promise<TokenAnswer> {
    const held = this.heldBy(request);
    if (held === undefined) {
      throw signedOut();
    }
    // Through the token endpoint itself: what holds there for every client holds here too.
    const server = this.adapter.httpAdapter.getInstance<FastifyInstance>();
    const answer = await server.inject({
      method: 'POST',
      url: '/oauth/token',
      remoteAddress: request.ip,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        'x-request-id': request.id,
      },
      payload: new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: held.clientId,
        refresh_token: held.token,
      }).toString(),
    });
    if (answer.statusCode !== 200) {
      throw answer.statusCode < 500 ? signedOut() : unavailable();
    }
    return { body: answer.json<unknown>(), cookies: linesOf(answer.headers['set-cookie']) };
  }

  /** Ends the sign-in everywhere: its tokens, and what the browser is remembered by. */
  async signOut(request: FastifyRequest): Promise<void> {
    const held = this.heldBy(request);
    const token = held && (await this.records.find('RefreshToken', held.token));
    if (token?.grantId !== undefined) {
      await this.records.revokeGrant(token.grantId, {
        reason: 'signed_out',
        address: request.ip,
        request_id: request.id,
      });
    }
    if (token?.sessionUid !== undefined) {
      await this.records.endSession(token.sessionUid);
    }
  }

  /**
   * A cookie comes along whoever made the browser send the request, so the request must come from a
   * page of ours. `SameSite=Lax` says the same, to browsers that know it.
   */
  private heldBy({ headers }: FastifyRequest): HeldToken | undefined {
    const { origin } = headers;
    const isOurs =
      origin === undefined
        ? [undefined, 'same-origin', 'none'].includes(siteOf(headers['sec-fetch-site']))
        : this.origins.has(origin);
    if (!isOurs) {
      throw new Problem({
        status: 403,
        code: 'cross_site_request',
        detail: 'This may be asked by pages of Soma alone.',
      });
    }
    return readRefreshCookie(headers.cookie);
  }
}

function siteOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join() : header;
}

function linesOf(header: string | string[] | undefined): string[] {
  return header === undefined ? [] : [header].flat();
}

function signedOut(): Problem {
  return new Problem({
    status: 401,
    code: 'signed_out',
    detail: 'Nobody is signed in here any more. Sign in again.',
  });
}

function unavailable(): Problem {
  return new Problem({
    status: 503,
    code: 'temporarily_unavailable',
    detail: 'The sign-in cannot be prolonged right now. Try again in a moment.',
    retryAfterSeconds: 1,
  });
}
