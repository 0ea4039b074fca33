import { Injectable } from '@nestjs/common';
import type { Author } from '@soma/auth';
import { AuditOutbox } from '@soma/messaging';
import type { Witness } from '@soma/sessions';

/** Has the audit log tell who changed what, if and only if the change is committed. */
@Injectable()
export class AdminTrail {
  constructor(private readonly outbox: AuditOutbox) {}

  /** @param action - As in `persona.created`: its first word is what is changed. */
  line(action: string, { principal, origin }: Author): Witness {
    const [type = ''] = action.split('.');
    return (manager, id) =>
      this.outbox.append(manager, {
        ...origin,
        tenant_id: principal.tenant_id,
        action,
        target: { type, id },
        outcome: 'success',
        details: {},
      });
  }
}
