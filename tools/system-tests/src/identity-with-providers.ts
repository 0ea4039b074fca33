/** Identity's own program, but for the providers that people sign in with: a test has one of its own. */
import { join } from 'node:path';
import { runService } from '@soma/http';
import { loadConfigOrExit } from '@soma/kernel';

const identity = join(import.meta.dirname, '../../../apps/identity/dist');

// By path: nothing may depend on an app.
const { identityConfig } = (await import(join(identity, 'identity.config.js'))) as {
  identityConfig: Parameters<typeof loadConfigOrExit>[0];
};
const { AppModule } = (await import(join(identity, 'app.module.js'))) as {
  AppModule: { configure: (config: unknown, endpoints: object) => Service['module'] };
};
const { PROVIDER_ENDPOINTS } = (await import(
  join(identity, 'sign-in/providers/provider-endpoints.js')
)) as { PROVIDER_ENDPOINTS: object };

type Service = Parameters<typeof runService>[0];

const config = loadConfigOrExit(identityConfig) as Service['config'];
const issuer = process.env['TEST_PROVIDER_URL'] ?? '';
const google = {
  ...{ issuer, authorization: `${issuer}/auth` },
  ...{ token: `${issuer}/token`, keys: `${issuer}/jwks` },
};
await runService({
  name: 'identity',
  module: AppModule.configure(config, { ...PROVIDER_ENDPOINTS, google }),
  config,
});
