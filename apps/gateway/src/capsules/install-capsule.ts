import { Injectable } from '@nestjs/common';
import { authorOf } from '@soma/auth';
import { TenantTransaction } from '@soma/persistence';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminTrail } from '../runtime/admin-trail.ts';
import { CapsuleRegistry } from './capsule-registry.ts';

/** Has the registry install a capsule. */
@Injectable()
export class InstallCapsule {
  constructor(
    private readonly registry: CapsuleRegistry,
    private readonly transaction: TenantTransaction,
    private readonly trail: AdminTrail,
  ) {}

  /**
   * What the registry does shares no transaction with us. So the line of the audit log comes first:
   * it says who asked, and nothing is installed without one.
   *
   * @throws {@link Problem} what {@link CapsuleRegistry} throws
   */
  async execute(capsuleId: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const author = authorOf(request);
    const line = this.trail.line('capsule.installation_requested', author);
    await this.transaction.run(author.principal.tenant_id, (manager) => line(manager, capsuleId));
    await this.registry.forward(`/capsules/${capsuleId}/install`, request, reply);
  }
}
