import type { Accepted } from '@soma/contracts';
import type { Write } from '@soma/persistence';
import type { EntityManager } from 'typeorm';
import {
  findStored,
  insertTurns,
  lockSessions,
  type NewTurn,
  type PlacedTurn,
  toAccepted,
} from './accept-statements.ts';
import { forgetKeys, keepAnswers, keyName, type OwnedKey, takeKeys } from './idempotency.ts';
import {
  idempotencyConflict,
  sessionDeleted,
  sessionNotFound,
  unknownPersona,
} from './problems.ts';
import type { OutboxRow } from './timeline-row.ts';

type KeyedTurn = NewTurn & { key: OwnedKey };

/** One tenant's part of a transaction that accepts several messages; see `accept-turns.ts`. */
export class AcceptBatch {
  readonly #manager: EntityManager;
  readonly #write: Write;
  readonly #tenantId: string;
  readonly #results = new Map<NewTurn, Accepted | Error>();
  /** The items whose keys this transaction takes, by the key's name. */
  readonly #keyed = new Map<string, KeyedTurn>();
  /** Items that repeat an earlier one of this very batch. */
  readonly #repeats = new Map<NewTurn, NewTurn>();

  constructor(manager: EntityManager, write: Write, tenantId: string) {
    this.#manager = manager;
    this.#write = write;
    this.#tenantId = tenantId;
  }

  /** What each item is answered. */
  get results(): ReadonlyMap<NewTurn, Accepted | Error> {
    return this.#results;
  }

  /** Stores what can be stored and answers the rows to publish after the commit. */
  async store(items: NewTurn[], isRepeat: boolean): Promise<OutboxRow[]> {
    items.filter(hasKey).forEach((item) => {
      this.#sortOutKey(item);
    });
    await this.#takeKeys();
    if (isRepeat) {
      const stored = await findStored(this.#manager, this.#tenantId, this.#open(items));
      stored.forEach((accepted, item) => this.#results.set(item, accepted));
    }
    await this.#refuseUnknownSessions(this.#open(items).filter(({ mustExist }) => mustExist));
    await this.#refuseUnknownPersonas(this.#open(items));
    const rows = await this.#insert(this.#open(items));
    await this.#settleKeys();
    this.#repeats.forEach((first, item) => {
      this.#results.set(item, this.#results.get(first) ?? idempotencyConflict());
    });
    return rows;
  }

  #open(items: NewTurn[]): NewTurn[] {
    return items.filter((item) => !this.#results.has(item) && !this.#repeats.has(item));
  }

  #sortOutKey(item: KeyedTurn): void {
    const name = keyName(item.key);
    const first = this.#keyed.get(name);
    if (first === undefined) {
      this.#keyed.set(name, item);
    } else if (first.key.bodyHash === item.key.bodyHash) {
      this.#repeats.set(item, first);
    } else {
      this.#results.set(item, idempotencyConflict());
    }
  }

  async #takeKeys(): Promise<void> {
    if (this.#keyed.size === 0) {
      return;
    }
    const sorted = [...this.#keyed].sort(([left], [right]) => (left < right ? -1 : 1));
    const keys = sorted.map(([, { key }]) => key);
    const answers = await takeKeys<Accepted>(this.#manager, this.#tenantId, keys);
    answers.forEach((answer, name) => {
      const item = this.#keyed.get(name);
      if (item !== undefined) {
        this.#results.set(item, answer);
        this.#keyed.delete(name);
      }
    });
  }

  async #refuseUnknownSessions(items: NewTurn[]): Promise<void> {
    if (items.length === 0) {
      return;
    }
    const known = await this.#manager.query<{ session_id: string }[]>(
      `SELECT session_id FROM conversation.sessions
        WHERE tenant_id = $1 AND session_id = ANY ($2)`,
      [this.#tenantId, items.map(({ sessionId }) => sessionId)],
    );
    const isKnown = new Set(known.map(({ session_id }) => session_id));
    items
      .filter(({ sessionId }) => !isKnown.has(sessionId))
      .forEach((item) => this.#results.set(item, sessionNotFound(item.sessionId)));
  }

  /** Most messages name none: then nothing is asked. */
  async #refuseUnknownPersonas(items: NewTurn[]): Promise<void> {
    const byPersona = Map.groupBy(items, ({ personaId }) => personaId);
    byPersona.delete(null);
    if (byPersona.size === 0) {
      return;
    }
    const known = await this.#manager.query<{ persona_id: string }[]>(
      `SELECT persona_id FROM conversation.personas
        WHERE tenant_id = $1 AND persona_id = ANY ($2)`,
      [this.#tenantId, [...byPersona.keys()]],
    );
    known.forEach(({ persona_id }) => byPersona.delete(persona_id));
    byPersona.forEach((refused, personaId) => {
      refused.forEach((item) => this.#results.set(item, unknownPersona(personaId ?? '')));
    });
  }

  async #insert(items: NewTurn[]): Promise<OutboxRow[]> {
    if (items.length === 0) {
      return [];
    }
    const firstSeqs = await lockSessions(this.#manager, this.#tenantId, items);
    const nextSeqs = new Map(firstSeqs);
    const placed: PlacedTurn[] = [];
    for (const item of items) {
      const seq = nextSeqs.get(item.sessionId);
      if (seq === undefined) {
        this.#results.set(item, sessionDeleted(item.sessionId));
      } else {
        nextSeqs.set(item.sessionId, seq + 1);
        placed.push({ item, seq, isFirst: seq === firstSeqs.get(item.sessionId) });
        this.#results.set(item, toAccepted(item, seq));
      }
    }
    return insertTurns(this.#write, this.#tenantId, placed);
  }

  /** An answer is kept for what was accepted; a refused request may be sent again. */
  async #settleKeys(): Promise<void> {
    const answers: { key: OwnedKey; answer: object }[] = [];
    const refused: OwnedKey[] = [];
    for (const item of this.#keyed.values()) {
      const answer = this.#results.get(item);
      if (answer === undefined || answer instanceof Error) {
        refused.push(item.key);
      } else {
        answers.push({ key: item.key, answer });
      }
    }
    await keepAnswers(this.#manager, this.#tenantId, answers);
    await forgetKeys(this.#manager, this.#tenantId, refused);
  }
}

function hasKey(item: NewTurn): item is KeyedTurn {
  return item.key !== null;
}
