import { describe, expect, it } from '@jest/globals';
import { AskedChecks } from './asked-checks.ts';

const BUSY = expect.objectContaining({ status: 503, code: 'health_checks_busy' }) as unknown;

describe('AskedChecks', () => {
  it('leaves room for others, however much one tenant asks for (P5)', async () => {
    const checks = new AskedChecks({ all: 3, ofTenant: 2 });
    const { promise, reject } = Promise.withResolvers<undefined>();
    const begin = (tenant: string): Promise<void> => checks.run(tenant, () => promise);
    const running = [begin('acme'), begin('acme')];

    expect(() => begin('acme')).toThrow(BUSY);
    running.push(begin('globex'));
    expect(() => begin('initech')).toThrow(BUSY);

    reject(new Error('It broke.'));
    await Promise.allSettled(running);
    const again = ['acme', 'acme', 'globex'].map((tenant) =>
      checks.run(tenant, () => Promise.resolve()),
    );
    await Promise.all(again);
  });
});
