import { Inject, Injectable } from '@nestjs/common';
import type { CreatePersonaRequest, Persona, Principal } from '@soma/contracts';
import { Personas } from '@soma/sessions';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { idempotencyOf } from '../runtime/caller.ts';
import { checkPersonaModel } from './check-persona-model.ts';

/** Adds a persona to the tenant. */
@Injectable()
export class CreatePersona {
  constructor(
    private readonly personas: Personas,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /**
   * @param idempotencyKey - A repeat with the same key and body resolves to the first answer.
   * @throws {@link Problem} 409 `persona_exists` or `idempotency_conflict`, 422 for what its model
   *   does not take
   */
  execute(
    principal: Principal,
    request: CreatePersonaRequest,
    idempotencyKey?: string,
  ): Promise<Persona> {
    checkPersonaModel(this.config, request);
    const idempotency = idempotencyOf('POST /v1/personas', request, idempotencyKey);
    return this.personas.create(principal, request, idempotency);
  }
}
