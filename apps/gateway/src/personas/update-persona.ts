import { Inject, Injectable } from '@nestjs/common';
import type { Persona, Principal, UpdatePersonaRequest } from '@soma/contracts';
import { Personas } from '@soma/sessions';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { checkPersonaModel } from './check-persona-model.ts';

/** Changes a persona. */
@Injectable()
export class UpdatePersona {
  constructor(
    private readonly personas: Personas,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /** @throws {@link Problem} 404 `persona_not_found`, 422 for what its model does not take */
  async execute(
    principal: Principal,
    personaId: string,
    request: UpdatePersonaRequest,
  ): Promise<Persona> {
    const present = await this.personas.find(principal.tenant_id, personaId);
    checkPersonaModel(this.config, mergePersona(present, request));
    return this.personas.update(principal.tenant_id, personaId, request);
  }
}

/** Only what the request names; a field that is undefined does not count as named. */
function mergePersona(present: Persona, request: UpdatePersonaRequest): Persona {
  const named = Object.entries(request).filter(([, value]) => value !== undefined);
  return { ...present, ...Object.fromEntries(named) };
}
