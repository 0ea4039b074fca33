import { z } from 'zod';

/** How many items a page of a list holds at most. */
export const pageLimit = z.coerce.number().int().min(1).max(200).default(50);

/** A page of a list, and where the next one begins. */
export interface Page<Item> {
  items: Item[];
  next_cursor: string | null;
}

/**
 * Cuts what was read of a list to a page.
 *
 * @param items - One more than the limit where there are more.
 */
export function toPage<Item>(
  items: Item[],
  limit: number,
  cursorOf: (item: Item) => string,
): Page<Item> {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  const hasMore = items.length > limit && last !== undefined;
  return { items: page, next_cursor: hasMore ? cursorOf(last) : null };
}
