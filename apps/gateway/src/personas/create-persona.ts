import { Inject, Injectable } from '@nestjs/common';
import type { Author } from '@soma/auth';
import type { CreatePersonaRequest, Persona } from '@soma/contracts';
import { Personas } from '@soma/sessions';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';
import { AdminTrail } from '../runtime/admin-trail.ts';
import { idempotencyOf } from '../runtime/caller.ts';
import { checkPersonaModel } from './check-persona-model.ts';

/** Adds a persona to the tenant. */
@Injectable()
export class CreatePersona {
  constructor(
    private readonly personas: Personas,
    private readonly trail: AdminTrail,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  /**
   * @param idempotencyKey - A repeat with the same key and body resolves to the first answer.
   * @throws {@link Problem} 409 `persona_exists` or `idempotency_conflict`, 422 for what its model
   *   does not take
   */
  execute(
    author: Author,
    request: CreatePersonaRequest,
    idempotencyKey?: string,
  ): Promise<Persona> {
    checkPersonaModel(this.config, request);
    return this.personas.create(author.principal, request, {
      idempotency: idempotencyOf('POST /v1/personas', request, idempotencyKey),
      witness: this.trail.line('persona.created', author),
    });
  }
}
