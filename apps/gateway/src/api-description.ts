import type { ApiDescription } from '@soma/http';

/** What the API document says that no route does. */
export const apiDescription: ApiDescription = {
  title: 'Soma gateway',
  description:
    'Send a message, watch the answer stream, and read on from any cursor without losing or ' +
    'repeating an event. Failures are `application/problem+json`; branch on their `code`.',
};
