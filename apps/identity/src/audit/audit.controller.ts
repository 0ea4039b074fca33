import { Readable } from 'node:stream';
import { Controller, Get, Query, Res } from '@nestjs/common';
import { Access, CurrentPrincipal } from '@soma/auth';
import {
  auditFilter,
  type AuditFilter,
  auditLine,
  type AuditPage,
  auditPage,
  auditQuery,
  type AuditQuery,
  type Principal,
} from '@soma/contracts';
import { Operation } from '@soma/http';
import type { FastifyReply } from 'fastify';
import { AuditLines } from './audit-lines.ts';

@Controller('v1/audit')
export class AuditController {
  constructor(private readonly lines: AuditLines) {}

  @Get()
  @Access({ scope: 'audit:read', resource: 'audit_log' })
  @Operation({
    summary: 'Read the audit log',
    description: 'The newest lines first. What is not named does not narrow the list.',
    answer: auditPage,
    problems: { 400: ['invalid_cursor'] },
  })
  list(
    @CurrentPrincipal() principal: Principal,
    @Query({ schema: auditQuery }) query: AuditQuery,
  ): Promise<AuditPage> {
    return this.lines.page(principal.tenant_id, query);
  }

  @Get('export')
  @Access({ scope: 'audit:read', resource: 'audit_log' })
  @Operation({
    summary: 'Export the audit log',
    description:
      'One line of JSON for each line of the log, the oldest first. An export of all lines is a ' +
      'chain: each line names the hash of the one before. An answer that breaks off is incomplete.',
    answer: auditLine,
    answerType: 'application/x-ndjson',
  })
  async export(
    @CurrentPrincipal() principal: Principal,
    @Query({ schema: auditFilter }) filter: AuditFilter,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const pages = toNdjson(this.lines.all(principal.tenant_id, filter));
    await reply
      .type('application/x-ndjson')
      .header('content-disposition', 'attachment; filename="audit.ndjson"')
      .header('cache-control', 'no-store')
      // It asks for the next page when the reader has taken the one before.
      .send(Readable.from(pages, { objectMode: true, highWaterMark: 1 }));
  }
}

async function* toNdjson(pages: AsyncIterable<object[]>): AsyncGenerator<string> {
  for await (const lines of pages) {
    yield lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  }
}
