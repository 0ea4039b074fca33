import { Injectable } from '@nestjs/common';
import type { AccessObjects } from '@soma/auth';
import type { AccessResource } from '@soma/contracts';
import type { Problem } from '@soma/kernel';
import { rethrowFault } from '@soma/persistence';
import { sessionNotFound, SessionOwners } from '@soma/sessions';

/** Whose sessions are. They are the one thing here that belongs to somebody within a tenant. */
@Injectable()
export class SessionObjects implements AccessObjects {
  constructor(private readonly owners: SessionOwners) {}

  ownerOf(_resource: AccessResource, tenantId: string, id: string): Promise<string | null> {
    return this.owners.of(tenantId, id).catch(rethrowFault);
  }

  notFound(_resource: AccessResource, id: string): Problem {
    return sessionNotFound(id);
  }
}
