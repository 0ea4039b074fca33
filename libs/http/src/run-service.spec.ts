import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { loadConfig } from '@soma/kernel';
import { observabilitySettings } from '@soma/observability';
import { freePort } from '@soma/testing';
import { z } from 'zod';
import { runService } from './run-service.ts';
import { httpSettings } from './settings.ts';

const schema = z.object({ ...httpSettings(8010), ...observabilitySettings });
const begun = new EventTarget();
const released = new EventTarget();

@Controller()
class SlowController {
  @Get('slow')
  async slow(): Promise<object> {
    const end = once(released, 'release');
    begun.dispatchEvent(new Event('begin'));
    await end;
    return { finished: true };
  }
}

@Module({ controllers: [SlowController] })
class SlowModule {}

describe('runService', () => {
  afterEach(() => {
    jest.restoreAllMocks();
  });

  async function start(environment: Record<string, string> = {}): Promise<string> {
    const port = await freePort();
    const config = loadConfig(schema, {
      PORT: String(port),
      LOG_LEVEL: 'silent',
      OTEL_EXPORTER_OTLP_ENDPOINT: '',
      ...environment,
    });
    await runService({ name: 'example', module: SlowModule, config });
    return `http://127.0.0.1:${port}`;
  }

  function exits(): Promise<unknown> {
    return new Promise((resolve) => {
      jest.spyOn(process, 'exit').mockImplementation((code) => {
        resolve(code);
        return undefined as never;
      });
    });
  }

  it('turns unready on SIGTERM, finishes what has begun, lets idle clients go and exits', async () => {
    const base = await start();
    const exited = exits();
    const [, port = ''] = /:(\d+)$/.exec(base) ?? [];
    const idle = connect(Number(port), '127.0.0.1');
    await once(idle, 'connect');
    const idleIsClosed = once(idle, 'close');
    const hasBegun = once(begun, 'begin');
    const slow = fetch(`${base}/slow`);
    await hasBegun;

    process.emit('SIGTERM', 'SIGTERM');
    released.dispatchEvent(new Event('release'));

    const response = await slow;
    expect(response.headers.get('connection')).not.toBe('keep-alive');
    expect(await response.json()).toEqual({ finished: true });
    expect(await exited).toBe(0);
    await idleIsClosed;
    await expect(fetch(base)).rejects.toThrow();
  });

  it('gives up when the grace period is over', async () => {
    const base = await start({ SHUTDOWN_GRACE_SECONDS: '1' });
    const exited = exits();
    const hasBegun = once(begun, 'begin');
    const slow = fetch(`${base}/slow`);
    await hasBegun;

    process.emit('SIGTERM', 'SIGTERM');

    expect(await Promise.race([exited, delay(10_000, 'late', { ref: false })])).toBe(1);
    released.dispatchEvent(new Event('release'));
    await slow;
  });
});

describe('httpSettings', () => {
  it('reads optional dependencies and refuses what is none', () => {
    const read = (value: string) =>
      loadConfig(schema, { HEALTH_HTTP_DEPENDENCIES: value }).HEALTH_HTTP_DEPENDENCIES;

    expect(read('slm=https://slm.example/health, capsules=http://c:1/x')).toEqual([
      { name: 'slm', url: 'https://slm.example/health' },
      { name: 'capsules', url: 'http://c:1/x' },
    ]);
    expect(read('a=http://c/x?y=z')).toEqual([{ name: 'a', url: 'http://c/x?y=z' }]);
    expect(read('')).toEqual([]);
    expect(() => read('slm')).toThrow('HEALTH_HTTP_DEPENDENCIES');
  });
});
