import { Inject, Injectable } from '@nestjs/common';
import type { Author } from '@soma/auth';
import type { Persona, UpdatePersonaRequest } from '@soma/contracts';
import { Personas } from '@soma/sessions';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { AdminTrail } from '../runtime/admin-trail.ts';
import { checkPersonaModel } from './check-persona-model.ts';

/** Changes a persona. */
@Injectable()
export class UpdatePersona {
  constructor(
    private readonly personas: Personas,
    private readonly trail: AdminTrail,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /** @throws {@link Problem} 404 `persona_not_found`, 422 for what its model does not take */
  async execute(
    author: Author,
    personaId: string,
    request: UpdatePersonaRequest,
  ): Promise<Persona> {
    const { tenant_id: tenantId } = author.principal;
    const present = await this.personas.find(tenantId, personaId);
    checkPersonaModel(this.config, mergePersona(present, request));
    const line = this.trail.line('persona.updated', author);
    return this.personas.update({ tenantId, personaId }, request, line);
  }
}

/** Only what the request names; a field that is undefined does not count as named. */
function mergePersona(present: Persona, request: UpdatePersonaRequest): Persona {
  const named = Object.entries(request).filter(([, value]) => value !== undefined);
  return { ...present, ...Object.fromEntries(named) };
}
