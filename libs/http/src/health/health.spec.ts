import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { createBreaker } from '@soma/kernel';
import { createService } from '../create-service.ts';
import { type Dependency, HealthChecks } from './health-checks.ts';

@Module({})
class EmptyModule {}

const answering = () => Promise.resolve('PONG');
const failing = () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.7:5432'));
const silent = () => new Promise(() => undefined);

describe('health', () => {
  let service: NestFastifyApplication;
  let health: HealthChecks;

  beforeEach(async () => {
    service = await createService(EmptyModule, {
      legacyHealth: true,
      config: { SOMA_VERSION: '1.2.3', HEALTH_HTTP_DEPENDENCIES: [], TRUSTED_PROXIES: [] },
    });
    health = service.get(HealthChecks);
  });

  afterEach(() => service.close());

  async function start(...dependencies: Dependency[]): Promise<void> {
    dependencies.forEach((each) => {
      health.add(each);
    });
    await service.listen(0, '127.0.0.1');
  }

  async function get(path: string): Promise<{ status: number; body: unknown; text: string }> {
    const response = await fetch(new URL(path, await service.getUrl()));
    const text = await response.text();
    return { status: response.status, body: JSON.parse(text), text };
  }

  it('is ok while everything answers, under both addresses', async () => {
    await start({ name: 'postgres', required: true, check: answering });

    const { status, body } = await get('/v1/health');

    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'ok',
      version: '1.2.3',
      dependencies: { postgres: { status: 'ok', latency_ms: expect.any(Number) } },
    });
    expect(await get('/health')).toMatchObject({ status, body: { status: 'ok' } });
  });

  it('is down without a required dependency, and names no host', async () => {
    await start({ name: 'postgres', required: true, check: failing });

    const { status, body, text } = await get('/v1/health');

    expect(status).toBe(503);
    expect(body).toMatchObject({ status: 'down', dependencies: { postgres: { status: 'down' } } });
    expect(text).not.toContain('10.0.0.7');
  });

  it('is degraded, and works, without an optional one, also when it never answers', async () => {
    await start(
      { name: 'postgres', required: true, check: answering },
      { name: 'kafka', required: false, check: silent },
    );

    expect(await get('/v1/health')).toMatchObject({
      status: 200,
      body: { status: 'degraded', dependencies: { kafka: { status: 'down' } } },
    });
    expect(await get('/v1/health/ready')).toMatchObject({ status: 200 });
  });

  it('is degraded while a breaker is open', async () => {
    const breaker = createBreaker({ name: 'anthropic' });
    health.addBreaker(breaker);
    await start();
    expect(await get('/v1/health')).toMatchObject({ body: { status: 'ok' } });

    for (let calls = 0; calls < 5; calls++) {
      await breaker.execute(failing).catch(() => undefined);
    }

    expect(await get('/v1/health')).toMatchObject({
      status: 200,
      body: { status: 'degraded', dependencies: { anthropic: { status: 'down' } } },
    });
  });

  it('is ready once its conditions hold and what it requires has answered', async () => {
    let hasPositions = false;
    health.addReadiness('stream_positions', () => hasPositions);
    await start({ name: 'postgres', required: true, check: failing });
    expect(await get('/v1/health/ready')).toMatchObject({
      status: 503,
      body: { waiting_for: ['postgres', 'stream_positions'] },
    });
    expect(await get('/v1/health/live')).toMatchObject({ status: 200 });

    hasPositions = true;
    health.add({ name: 'postgres', required: true, check: answering });
    await health.onApplicationBootstrap();

    expect(await get('/v1/health/ready')).toMatchObject({ status: 200 });
  });

  it('stays ready when a database fails later, so that clients hear when to try again', async () => {
    await start({ name: 'postgres', required: true, check: answering });

    health.add({ name: 'postgres', required: true, check: failing });
    await health.onApplicationBootstrap();

    expect(await get('/v1/health')).toMatchObject({ status: 503 });
    expect(await get('/v1/health/ready')).toMatchObject({ status: 200 });
  });
});
