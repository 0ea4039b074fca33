import { z } from 'zod';
import { type ConnectionType, secretField } from './connection-type.ts';

/** https://api-dashboard.search.brave.com/app/documentation/web-search/get-started */
export const braveSearch: ConnectionType = {
  name: 'brave_search',
  title: 'Brave Search',
  description: 'Search of the web at Brave.',
  fields: z.strictObject({ api_key: secretField('The subscription token.') }),
  http: {
    baseUrl: 'https://api.search.brave.com/res/v1',
    credentials: [{ in: 'header', field: 'api_key', name: 'x-subscription-token' }],
    // No `health`: every request counts.
  },
  // One a second is what every plan has.
  defaultRateRpm: 60,
};
