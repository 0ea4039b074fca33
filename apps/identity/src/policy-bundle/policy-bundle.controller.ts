import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Controller, Get, Headers, Inject, Optional, Res } from '@nestjs/common';
import { Public } from '@soma/auth';
import { Undocumented } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { FastifyReply } from 'fastify';

/** Path of the signed bundle, or undefined. */
export const POLICY_BUNDLE_FILE = Symbol('POLICY_BUNDLE_FILE');

/**
 * The bundle, for policy agents. It needs no credential: an agent trusts the signature and not the way
 * by which a bundle came, and what is allowed to whom is no secret.
 */
@Public()
@Controller('policy/bundles')
export class PolicyBundleController {
  constructor(@Optional() @Inject(POLICY_BUNDLE_FILE) private readonly file: string | undefined) {}

  @Get('somaagent01.tar.gz')
  @Undocumented()
  async bundle(
    @Headers('if-none-match') known: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    // Read anew, so that a file that is replaced reaches the agents without a restart.
    const bundle = await this.read();
    const tag = `"${hash('sha256', bundle)}"`;
    void reply.header('etag', tag).header('cache-control', 'no-cache');
    await (known === tag ? reply.status(304).send() : reply.type('application/gzip').send(bundle));
  }

  private async read(): Promise<Buffer> {
    if (this.file === undefined) {
      throw new Problem({
        status: 503,
        code: 'policy_bundle_not_configured',
        detail: 'This service was given no policies to serve: set POLICY_BUNDLE_FILE.',
      });
    }
    return readFile(this.file);
  }
}
