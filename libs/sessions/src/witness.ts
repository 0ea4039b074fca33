import type { EntityManager } from 'typeorm';

/**
 * Is shown a change within the transaction that makes it, and so can commit something along with it,
 * as the line of the audit log. What it throws undoes the change.
 *
 * @param id - Of the changed persona or session.
 */
export type Witness = (manager: EntityManager, id: string) => Promise<void>;
