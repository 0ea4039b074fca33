import { hash } from 'node:crypto';
import pg from 'pg';

/** Statements that a process remembers the names of: many times what there are in its code. */
const MAX_NAMES = 1_000;

const names = new Map<string, string>();

/**
 * A connection that has each statement parsed and planned once instead of at each use: planning
 * takes longer than most of our statements run.
 *
 * A statement is known by its text, so no text may be made of what a request says. A pooler must know
 * prepared statements of the protocol (PgBouncer does since 1.21).
 */
export class PreparedClient extends pg.Client {
  constructor(config?: pg.ClientConfig) {
    super(config);
    const send = super.query.bind(this) as (...args: unknown[]) => unknown;
    const commit = async (...args: unknown[]): Promise<unknown> => committed(await send(...args));
    // TypeORM sends a text and values. All other ways to call it (a callback, a query object) are left
    // as they are; an override of the method would have to say all of them again.
    Object.assign(this, {
      query: (text: unknown, values?: unknown, ...rest: unknown[]) =>
        typeof text === 'string' && Array.isArray(values)
          ? send({ text, values: values as unknown[], name: nameOf(text) }, ...rest)
          : (text === 'COMMIT' ? commit : send)(text, values, ...rest),
    });
  }
}

/**
 * PostgreSQL answers a COMMIT after a statement that failed with success and the tag `ROLLBACK`.
 * Work that took no notice of the failure must not believe that it is stored.
 */
function committed(answer: unknown): unknown {
  const { command } = answer as pg.QueryResult;
  if (command !== 'COMMIT') {
    throw new Error('A statement had failed before, so PostgreSQL stored nothing at COMMIT.');
  }
  return answer;
}

/** Undefined, which leaves the statement unprepared, for whatever comes after too many others. */
function nameOf(text: string): string | undefined {
  let name = names.get(text);
  if (name === undefined && names.size < MAX_NAMES) {
    name = hash('sha256', text, 'base64url');
    names.set(text, name);
  }
  return name;
}
