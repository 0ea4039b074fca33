import { z } from 'zod';

/**
 * Everything that a credential can be good for. A route names the one that it needs, and a token,
 * an API key or a role has some of them. Nothing is implied: `sessions:write` does not read.
 */
export const accessScope = z.enum([
  'sessions:read',
  'sessions:write',
  'personas:read',
  'personas:write',
  'models:read',
  'capsules:read',
  'capsules:install',
  'tenants:read',
  'tenants:write',
  'members:read',
  'members:write',
  'api_keys:read',
  'api_keys:write',
  'audit:read',
  'connections:read',
  'connections:write',
  'connections:reveal',
  'webhooks:read',
  'webhooks:write',
  'tools:read',
  'tools:run',
]);
export type AccessScope = z.output<typeof accessScope>;
