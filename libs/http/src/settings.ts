import { isIP } from 'node:net';
import { integerSetting, listSetting, portSetting } from '@soma/kernel';
import { z } from 'zod';

/** The settings that every HTTP service has; spread the result into its schema. */
export function httpSettings(defaultPort: number): typeof shape {
  return { ...shape, PORT: portSetting(defaultPort).describe('Where the service listens.') };
}

/** Networks between commas, as in `10.0.0.0/8`, or single addresses. */
export function cidrListSetting(defaults: string[] = []): z.ZodType<string[]> {
  return listSetting(defaults).refine((cidrs) => cidrs.every(isCidr), 'must be as 10.0.0.0/8');
}

function isCidr(text: string): boolean {
  const [address = '', prefix = '0', ...rest] = text.split('/');
  const bits = isIP(address) === 6 ? 128 : 32;
  return (
    isIP(address) !== 0 && /^\d{1,3}$/.test(prefix) && Number(prefix) <= bits && rest.length === 0
  );
}

const shape = {
  PORT: portSetting(0),
  SOMA_VERSION: z.string().default('0.0.0').describe('The release, as `/v1/health` names it.'),
  SHUTDOWN_GRACE_SECONDS: integerSetting({ default: 25, min: 1, max: 3600, unit: 's' }).describe(
    'How long a service that is told to stop may finish what it has begun.',
  ),
  TRUSTED_PROXIES: cidrListSetting(['127.0.0.0/8', '::1/128']).describe(
    'Networks of the proxies whose `X-Forwarded-For` is believed, by commas: the ingress, and for ' +
      'a service behind the gateway the gateway.',
  ),
  HEALTH_HTTP_DEPENDENCIES: listSetting()
    .transform((pairs) =>
      pairs.map((pair) => [pair.split('=', 1)[0], pair.replace(/^[^=]*=?/, '')]),
    )
    .pipe(
      z
        .array(z.tuple([z.string().min(1), z.url()], 'must be name=url'))
        .transform((pairs) => pairs.map(([name, url]) => ({ name, url }))),
    )
    .describe('`name=url` of optional dependencies that the health summary asks, by commas.'),
};

/** The values of {@link httpSettings}. */
export type HttpConfig = z.output<z.ZodObject<typeof shape>>;
