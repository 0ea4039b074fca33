import { z } from 'zod';

/** How many items a page of a list holds at most. */
export const pageLimit = z.coerce.number().int().min(1).max(200).default(50);
