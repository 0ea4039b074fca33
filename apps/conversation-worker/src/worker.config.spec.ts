import { describe, expect, it } from '@jest/globals';
import { loadConfig } from '@soma/kernel';
import { workerConfig } from './worker.config.ts';

const weights = (TENANT_WEIGHTS: string) =>
  loadConfig(workerConfig.pick({ TENANT_WEIGHTS: true }), { TENANT_WEIGHTS }).TENANT_WEIGHTS;

describe('TENANT_WEIGHTS', () => {
  it('gives tenants their shares', () => {
    expect(weights('acme=3,globex=0.5')).toEqual({ acme: 3, globex: 0.5 });
    expect(weights('')).toEqual({});
  });

  it.each(['acme=0', 'acme=3,globex=0.0', 'acme=-1', 'acme'])(
    'refuses what no turns can be shared out by: %s',
    (text) => {
      expect(() => weights(text)).toThrow('TENANT_WEIGHTS');
    },
  );
});
