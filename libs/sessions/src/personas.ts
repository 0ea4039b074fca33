import { Injectable } from '@nestjs/common';
import {
  type CreatePersonaRequest,
  type Persona,
  type PersonaList,
  type Principal,
  type UpdatePersonaRequest,
  toPage,
} from '@soma/contracts';
import { newIdentifier, Problem } from '@soma/kernel';
import { TenantTransaction } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import { answerOnce, type Idempotency } from './idempotency.ts';
import { PERSONA_COLUMNS, type PersonaRow } from './persona-row.ts';
import type { Witness } from './witness.ts';

/** Which persona, of which tenant. */
export interface PersonaName {
  tenantId: string;
  personaId: string;
}

/** The personas of a tenant. */
@Injectable()
export class Personas {
  constructor(private readonly transaction: TenantTransaction) {}

  /**
   * @param idempotency - A repeat with the same key and body resolves to the first answer.
   * @throws {@link Problem} 409 `persona_exists` or `idempotency_conflict`
   */
  create(
    { tenant_id: tenantId, subject }: Principal,
    request: CreatePersonaRequest,
    { idempotency, witness }: { idempotency?: Idempotency | undefined; witness: Witness },
  ): Promise<Persona> {
    const key = idempotency && { ...idempotency, subject, sessionId: null };
    return this.transaction.run(tenantId, (manager) =>
      answerOnce(manager, { tenantId, key }, async () => {
        const created = await insertPersona(manager, tenantId, request);
        await witness(manager, created.persona_id);
        return created;
      }),
    );
  }

  /** @throws {@link Problem} 404 `persona_not_found` */
  async find(tenantId: string, personaId: string): Promise<Persona> {
    const [row] = await this.transaction.run(tenantId, (manager) =>
      manager.query<PersonaRow[]>(
        `SELECT ${PERSONA_COLUMNS} FROM conversation.personas
          WHERE tenant_id = $1 AND persona_id = $2`,
        [tenantId, personaId],
      ),
    );
    return toPersona(row ?? notFound(personaId));
  }

  /** In the order of their ids; the cursor is the last id of a page. */
  async list(
    tenantId: string,
    { limit, cursor = '' }: { limit: number; cursor?: string | undefined },
  ): Promise<PersonaList> {
    const rows = await this.transaction.run(tenantId, (manager) =>
      manager.query<PersonaRow[]>(
        `SELECT ${PERSONA_COLUMNS} FROM conversation.personas
          WHERE tenant_id = $1 AND persona_id > $2 ORDER BY persona_id LIMIT $3`,
        [tenantId, cursor, limit + 1],
      ),
    );
    const { items, next_cursor } = toPage(rows, limit, ({ persona_id }) => persona_id);
    return { personas: items.map(toPersona), next_cursor };
  }

  /**
   * Changes what the request names and leaves the rest.
   *
   * @throws {@link Problem} 404 `persona_not_found`
   */
  update(
    { tenantId, personaId }: PersonaName,
    request: UpdatePersonaRequest,
    witness: Witness,
  ): Promise<Persona> {
    return this.transaction.run(tenantId, async (manager) => {
      const [[row]] = await manager.query<[PersonaRow[], number]>(
        `UPDATE conversation.personas AS persona
            SET (name, instructions, model, temperature, top_p, top_k, max_tokens)
                = (SELECT name, instructions, model, temperature, top_p, top_k, max_tokens
                     FROM jsonb_populate_record(persona, $3::jsonb)),
                updated_at = $4
          WHERE tenant_id = $1 AND persona_id = $2
          RETURNING ${PERSONA_COLUMNS}`,
        [tenantId, personaId, JSON.stringify(request), new Date()],
      );
      const changed = toPersona(row ?? notFound(personaId));
      await witness(manager, personaId);
      return changed;
    });
  }

  /** @throws {@link Problem} 404 `persona_not_found` */
  async remove({ tenantId, personaId }: PersonaName, witness: Witness): Promise<void> {
    await this.transaction.run(tenantId, async (manager) => {
      const [, removed] = await manager.query<[unknown[], number]>(
        `DELETE FROM conversation.personas WHERE tenant_id = $1 AND persona_id = $2`,
        [tenantId, personaId],
      );
      if (removed === 0) {
        notFound(personaId);
      }
      await witness(manager, personaId);
    });
  }
}

async function insertPersona(
  manager: EntityManager,
  tenantId: string,
  { persona_id = newIdentifier(), ...settings }: CreatePersonaRequest,
): Promise<Persona> {
  const [row] = await manager.query<PersonaRow[]>(
    `INSERT INTO conversation.personas (tenant_id, ${PERSONA_COLUMNS})
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
     ON CONFLICT DO NOTHING RETURNING ${PERSONA_COLUMNS}`,
    [
      ...[tenantId, persona_id, settings.name, settings.instructions, settings.model],
      ...[settings.temperature, settings.top_p, settings.top_k, settings.max_tokens],
      new Date(),
    ],
  );
  if (row === undefined) {
    throw new Problem({
      status: 409,
      code: 'persona_exists',
      detail: `A persona "${persona_id}" exists already. Choose another id or change that one.`,
    });
  }
  return toPersona(row);
}

function notFound(personaId: string): never {
  throw new Problem({
    status: 404,
    code: 'persona_not_found',
    detail: `There is no persona "${personaId}". Create it with POST /v1/personas.`,
  });
}

function toPersona(row: PersonaRow): Persona {
  return {
    ...row,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}
