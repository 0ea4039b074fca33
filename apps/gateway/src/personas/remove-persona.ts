import { Injectable } from '@nestjs/common';
import type { Author } from '@soma/auth';
import { Personas } from '@soma/sessions';
import { AdminTrail } from '../runtime/admin-trail.ts';

/** Deletes a persona. */
@Injectable()
export class RemovePersona {
  constructor(
    private readonly personas: Personas,
    private readonly trail: AdminTrail,
  ) {}

  /** @throws {@link Problem} 404 `persona_not_found` */
  execute(author: Author, personaId: string): Promise<void> {
    const { tenant_id: tenantId } = author.principal;
    return this.personas.remove(
      { tenantId, personaId },
      this.trail.line('persona.deleted', author),
    );
  }
}
