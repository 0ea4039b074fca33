import { Inject, Injectable, NotFoundException } from '@nestjs/common';
import { appServing, type RoutedApp } from '@soma/contracts';
import { proxyRequest } from '@soma/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';

const TIMEOUT_MS = 30_000;

/** The other apps that partners reach through the gateway. */
@Injectable()
export class Upstreams {
  private readonly urls: Partial<Record<RoutedApp, string>>;

  constructor(
    @Inject(GATEWAY_CONFIG)
    config: Pick<GatewayConfig, 'CONNECTION_CATALOG_URL' | 'IDENTITY_URL'>,
  ) {
    this.urls = {
      'connection-catalog': config.CONNECTION_CATALOG_URL,
      identity: config.IDENTITY_URL,
    };
  }

  /**
   * Passes a request on to the app that serves its path, the caller's credential included, and the
   * answer back, both piece by piece.
   *
   * @throws {@link Problem} 502 `upstream_unreachable` or 504 `upstream_timeout`
   * @throws NotFoundException when no app that is installed serves the path.
   */
  forward(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // Read before it is looked up: `/oauth/../metrics` is not below `/oauth`. And with a host of our
    // own, for `//host/path` must not name another one.
    const { pathname, search } = new URL(`http://gateway${request.url}`);
    const app = appServing(pathname);
    const base = app && this.urls[app];
    if (base === undefined) {
      throw new NotFoundException();
    }
    const { authorization, cookie } = request.headers;
    return proxyRequest(request, reply, {
      target: new URL(pathname + search, base),
      upstream: `${app} service`,
      timeoutMs: TIMEOUT_MS,
      headers: { ...(authorization && { authorization }), ...(cookie && { cookie }) },
    });
  }
}
