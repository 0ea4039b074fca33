import type { ApiDescription } from '@soma/http';

/** What the API document says that no route does. */
export const apiDescription: ApiDescription = {
  title: 'Soma conversation worker',
  description: 'Runs turns. What it serves over HTTP is for other services, and not listed here.',
};
