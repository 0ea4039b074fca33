import { Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import Provider from 'oidc-provider';

/** The authorisation server, for those who hand requests to it. */
@Injectable()
export class AuthorizationServer {
  constructor(private readonly provider: Provider) {}

  current(): Provider {
    return this.provider;
  }

  /**
   * Makes every address that the server tells follow the issuer.
   *
   * They would follow the headers of the request, which anyone can choose.
   */
  pinToIssuer(request: FastifyRequest): void {
    const { host, protocol } = new URL(this.provider.issuer);
    Object.assign(request.raw.headers, {
      host,
      'x-forwarded-host': host,
      'x-forwarded-proto': protocol.replace(':', ''),
      'x-forwarded-for': request.ip,
    });
  }
}
