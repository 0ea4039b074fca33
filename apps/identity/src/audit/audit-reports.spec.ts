import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { AuditReport } from '@soma/contracts';
import { AuditReports } from './audit-reports.ts';

const REFUSED: AuditReport = {
  tenant_id: 'soma',
  actor: { subject: 'anonymous', address: '192.0.2.1' },
  action: 'sign_in.refused',
  target: { type: 'provider', id: 'google' },
  outcome: 'failure',
  request_id: 'r',
  details: { reason: 'token_invalid' },
};

describe('AuditReports', () => {
  let told: AuditReport[];
  let reports: AuditReports;

  beforeEach(() => {
    jest.useFakeTimers();
    told = [];
    reports = new AuditReports({ record: (report) => told.push(report) }, 'soma');
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  function from(address: string, times = 1): void {
    const report = { ...REFUSED, actor: { ...REFUSED.actor, address } };
    for (let time = 0; time < times; time++) reports.record(report);
  }

  it('tells the first of a minute one by one, and of the others how many there were', () => {
    from('192.0.2.1', 5);
    expect(told).toHaveLength(5);
    from('192.0.2.1', 995);
    from('192.0.2.2');
    expect(told).toHaveLength(6);

    jest.advanceTimersByTime(60_000);

    expect(told).toHaveLength(7);
    expect(told[6]).toEqual({ ...REFUSED, details: { reason: 'token_invalid', repeats: 995 } });
    from('192.0.2.1');
    expect(told).toHaveLength(8);
  });

  it('holds a bounded number apart, whoever floods it', () => {
    for (let each = 0; each < 100_000; each++) from(`2001:db8::${each.toString(16)}`);
    expect(told.length).toBeLessThanOrEqual(1_005);

    jest.advanceTimersByTime(60_000);

    const { repeats } = told.at(-1)?.details ?? {};
    expect(told.length - 1 + Number(repeats)).toBe(100_000);
  });

  it('hides in a flood neither what another tenant is refused nor what is granted', () => {
    for (let each = 0; each < 2_000; each++) from(`2001:db8::${each.toString(16)}`);
    const before = told.length;
    const other = { ...REFUSED, tenant_id: 'acme' };
    const issued = { ...REFUSED, action: 'token.issued', outcome: 'success' as const };

    for (let each = 0; each < 6; each++) reports.record(other);
    const target = { type: 'client', id: 'agent' };
    for (let each = 0; each < 6; each++) reports.record({ ...issued, target });
    jest.advanceTimersByTime(60_000);

    const repeats = { ...REFUSED.details, repeats: 1 };
    expect(told.slice(before, before + 10)).toEqual([
      ...Array.from({ length: 5 }, () => other),
      ...Array.from({ length: 5 }, () => ({ ...issued, target })),
    ]);
    expect(told.slice(before + 10)).toEqual(
      expect.arrayContaining([
        { ...other, details: repeats },
        { ...issued, target, details: repeats },
      ]),
    );
  });

  it('tells what is left when the service stops', () => {
    from('192.0.2.1', 7);

    reports.onApplicationShutdown();

    expect(told.at(-1)?.details).toMatchObject({ repeats: 2 });
    expect(jest.getTimerCount()).toBe(0);
  });
});
