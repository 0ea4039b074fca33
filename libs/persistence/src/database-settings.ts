import { booleanSetting, integerSetting, Secret, secretSetting } from '@soma/kernel';
import { z } from 'zod';

/** The settings by which every service finds its database; each app's schema spreads them. */
export const databaseSettings = {
  DATABASE_URL: secretSetting
    .optional()
    .describe("`postgresql://` URL with the service's own role. It overrides `POSTGRES_*`."),
  POSTGRES_HOST: z.string().default('localhost').describe('Host of PostgreSQL.'),
  POSTGRES_PORT: integerSetting({ default: 5432, min: 1, max: 65_535 }).describe('Its port.'),
  POSTGRES_DB: z.string().default('soma').describe('The database.'),
  POSTGRES_USER: z.string().default('postgres').describe('The role that the service logs in as.'),
  POSTGRES_PASSWORD: secretSetting.optional().describe('Password of that role.'),
  POSTGRES_SSL: booleanSetting(false).describe('Whether the connection is encrypted.'),
};

type DatabaseConfig = z.output<z.ZodObject<typeof databaseSettings>>;

/** The one URL that the settings amount to. */
export function databaseUrl(config: DatabaseConfig): Secret {
  if (config.DATABASE_URL !== undefined) {
    return config.DATABASE_URL;
  }
  const url = new URL('postgresql://localhost');
  url.hostname = config.POSTGRES_HOST;
  url.port = String(config.POSTGRES_PORT);
  url.pathname = config.POSTGRES_DB;
  url.username = encodeURIComponent(config.POSTGRES_USER);
  url.password = encodeURIComponent(config.POSTGRES_PASSWORD?.reveal() ?? '');
  if (config.POSTGRES_SSL) {
    url.searchParams.set('sslmode', 'require');
  }
  return new Secret(url.href);
}
