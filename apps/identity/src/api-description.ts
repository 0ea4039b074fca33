import type { ApiDescription } from '@soma/http';

/** What the API document says that no route does. */
export const apiDescription: ApiDescription = {
  title: 'Soma identity',
  description: 'Issues the access tokens of Soma.',
};
