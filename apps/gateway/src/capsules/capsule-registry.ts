import { Inject, Injectable } from '@nestjs/common';
import { proxyRequest } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';

const TIMEOUT_MS = 30_000;

/** Passes requests on to the capsule registry, and its answers back as they are. */
@Injectable()
export class CapsuleRegistry {
  constructor(
    @Inject(GATEWAY_CONFIG) private readonly config: Pick<GatewayConfig, 'CAPSULE_REGISTRY_URL'>,
  ) {}

  /**
   * @param path - Below the registry's base URL, as in `/capsules/crm`.
   * @throws {@link Problem} 503 `capsules_not_configured`, 502 `upstream_unreachable`, 504
   *   `upstream_timeout`
   */
  forward(path: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { CAPSULE_REGISTRY_URL: base } = this.config;
    if (base === undefined) {
      throw new Problem({
        status: 503,
        code: 'capsules_not_configured',
        detail: 'This installation has no capsule registry.',
      });
    }
    const target = new URL(base);
    target.pathname = target.pathname.replace(/\/$/, '') + path;
    target.search = new URL(request.url, base).search;
    return proxyRequest(request, reply, {
      target,
      upstream: 'capsule registry',
      timeoutMs: TIMEOUT_MS,
    });
  }
}
