import type { ApiDescription } from '@soma/http';

/** What the API document says that no route does. */
export const apiDescription: ApiDescription = {
  title: 'Soma connection catalog',
  description: 'Keeps the accounts that a tenant has connected, and their credentials.',
};
