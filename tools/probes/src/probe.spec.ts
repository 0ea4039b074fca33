import { describe, expect, it } from '@jest/globals';
import { secretSetting } from '@soma/kernel';
import { z } from 'zod';
import { type Probe, runProbe } from './probe.ts';

const settings = z.object({ SERVER_URL: secretSetting });

function failingWith(message: string): Probe<typeof settings> {
  return { check: 'server', settings, ask: () => Promise.reject(new Error(message)) };
}

describe('runProbe', () => {
  it('P8: masks a secret, and the password within a URL, in what a driver says', async () => {
    const url = 'redis://soma:pass%21word@localhost';
    const probe = failingWith(`cannot use ${url}: pass!word (pass%21word) is wrong`);
    const report = await runProbe(probe, { SERVER_URL: url });
    expect(report.error).toBe('cannot use [secret]: [secret] ([secret]) is wrong');
  });

  it('names the setting that is missing', async () => {
    const report = await runProbe(failingWith('never asked'), {});
    expect(report).toMatchObject({ ok: false, error: expect.stringContaining('SERVER_URL') });
  });
});
