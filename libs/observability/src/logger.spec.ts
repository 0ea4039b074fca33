import { describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { addLogContext, withLogContext } from './log-context.ts';
import { createLogger } from './logger.ts';
import { NestLogger } from './nest-logger.ts';

const CANARY = 'hunter2-canary';

function recording(level: 'info' | 'debug' = 'info') {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ service: 'gateway', level, destination });
  return { logger, lines, last: () => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown> };
}

describe('createLogger', () => {
  it('writes one JSON object a line, with the service and a UTC time', () => {
    const { logger, last } = recording();

    logger.info({ turns: 2 }, 'Taken.');

    expect(last()).toMatchObject({ level: 'info', logger: 'gateway', turns: 2, message: 'Taken.' });
    expect(last()['time']).toMatch(/^\d{4}-.*\.\d{3}Z$/);
  });

  it('adds what is known of the work, also when it is learned late', async () => {
    const { logger, last } = recording();

    await withLogContext({ request_id: 'r-1' }, async () => {
      await Promise.resolve();
      addLogContext({ tenant_id: 'acme' });
      logger.info('Inside.');
    });
    expect(last()).toMatchObject({ request_id: 'r-1', tenant_id: 'acme' });

    logger.info('Outside.');
    expect(last()).not.toHaveProperty('request_id');
  });

  it('never writes a secret (P8)', () => {
    const { logger, lines } = recording();
    const secret = new Secret(CANARY);
    const url = `postgresql://soma:${CANARY}@db/soma`;
    const error = Object.assign(new Error(`connect ${url}`, { cause: new Error(url) }), {
      secret,
      token: CANARY,
      headers: { authorization: CANARY },
    });

    logger.info({ secret, password: CANARY, headers: { authorization: `Bearer ${CANARY}` } });
    logger.info({ config: { DATABASE_URL: secret }, token: CANARY, request: { cookie: CANARY } });
    logger.error({ error }, 'Failed.');
    logger.error(error);
    new NestLogger(logger).error(error, 'Component');
    new NestLogger(logger).warn({ api_key: CANARY }, 'Component');

    expect(lines).toHaveLength(6);
    expect(lines.join('')).not.toContain(CANARY);
  });

  it('keeps stacks and causes of errors', () => {
    const { logger, last } = recording();

    logger.error({ error: new Error('outer', { cause: new TypeError('inner') }) }, 'Failed.');

    const { error } = last() as { error: { stack: string; message: string } };
    expect(error.message).toBe('outer: inner');
    expect(error.stack).toMatch(/Error: outer\n.*logger\.spec[^]*TypeError: inner/);
  });
});

describe('NestLogger', () => {
  it('writes into the same log, with the class that speaks', () => {
    const { logger, last } = recording('debug');
    const nest = new NestLogger(logger);

    nest.log('Started.', 'NestFactory');
    expect(last()).toMatchObject({ level: 'info', component: 'NestFactory', message: 'Started.' });

    nest.error('Broken.', 'Error: Broken.\n    at x', 'Router');
    expect(last()).toMatchObject({ level: 'error', component: 'Router', message: 'Broken.' });
    expect(last()['stack']).toContain('at x');

    nest.error({ request_id: 'r-1', error: new Error('why') }, 'Filter');
    expect(last()).toMatchObject({ request_id: 'r-1', error: { message: 'why' } });
  });
});
