import { CLIENT_IDENTIFIER } from '@soma/kernel';
import { z } from 'zod';

/** An id that a client may choose: 1 to 128 characters that are safe in a URL, a key and a log. */
export const clientIdentifier = z
  .string()
  .regex(CLIENT_IDENTIFIER, 'must be 1 to 128 letters, digits or any of . _ -');

/** RFC 3339 in UTC with milliseconds, as in `2026-01-31T09:30:00.000Z`. */
export const timestamp = z.iso.datetime({ precision: 3 });
