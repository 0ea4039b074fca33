import { Inject, Injectable } from '@nestjs/common';
import type { CreatePersonaRequest, Persona, Principal } from '@soma/contracts';
import { Personas } from '@soma/sessions';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { checkPersonaModel } from './check-persona-model.ts';

/** Adds a persona to the tenant. */
@Injectable()
export class CreatePersona {
  constructor(
    private readonly personas: Personas,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /** @throws {@link Problem} 409 `persona_exists`, 422 for what its model does not take */
  execute(principal: Principal, request: CreatePersonaRequest): Promise<Persona> {
    checkPersonaModel(this.config, request);
    return this.personas.create(principal.tenant_id, request);
  }
}
