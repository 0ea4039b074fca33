import { afterEach, describe, expect, it } from '@jest/globals';
import { loadConfig } from '@soma/kernel';
import { z } from 'zod';
import { observabilitySettings } from './settings.ts';
import { batchLimits, describeProcess } from './tracing.ts';

const read = (environment: Record<string, string>) =>
  loadConfig(z.object(observabilitySettings), environment);

describe('describeProcess', () => {
  it('names the app, and what the environment says of where it runs', () => {
    const place = { HOSTNAME: 'node-7', K8S_NAMESPACE: 'soma', K8S_POD_NAME: 'gateway-0' };

    expect(describeProcess('gateway', read(place)).attributes).toEqual({
      'service.name': 'gateway',
      'host.name': 'node-7',
      'k8s.namespace.name': 'soma',
      'k8s.pod.name': 'gateway-0',
    });
  });

  it('takes another name for the app where one is set', () => {
    const { attributes } = describeProcess('gateway', read({ OTEL_SERVICE_NAME: 'edge' }));

    expect(attributes['service.name']).toBe('edge');
  });
});

describe('batchLimits', () => {
  const { NODE_ENV: before } = process.env;
  afterEach(() => {
    process.env['NODE_ENV'] = before;
  });

  it.each([
    { environment: 'production', spans: 512, delayMs: 10_000 },
    { environment: 'development', spans: 64, delayMs: 2_000 },
  ])('sends $spans spans or after $delayMs ms in $environment', (expected) => {
    process.env['NODE_ENV'] = expected.environment;

    expect(batchLimits()).toEqual({
      maxExportBatchSize: expected.spans,
      scheduledDelayMillis: expected.delayMs,
    });
  });
});
