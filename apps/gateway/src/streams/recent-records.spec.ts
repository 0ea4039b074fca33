import { describe, expect, it } from '@jest/globals';
import { RecentRecords } from './recent-records.ts';

const value = Buffer.from('value');

describe('RecentRecords', () => {
  it('keeps the records of a key in their order', () => {
    const recent = new RecentRecords();
    const values = [1, 2, 3].map((number) => Buffer.from(String(number)));
    values.forEach((each, index) => {
      recent.add('one', each, index * 4_000);
      recent.add('other', value, index * 4_000);
    });
    expect(recent.of('one')).toEqual(values);
    expect(recent.of('nobody')).toEqual([]);
  });

  it('keeps a record for 15 seconds, and not for much longer', () => {
    const recent = new RecentRecords();
    recent.add('early', value, 0);
    for (let now = 1_000; now <= 15_000; now += 1_000) recent.add('other', value, now);
    expect(recent.of('early')).toEqual([value]);
    for (let now = 16_000; now <= 25_000; now += 1_000) recent.add('other', value, now);
    expect(recent.of('early')).toEqual([]);
    expect(recent.of('other').length).toBeGreaterThanOrEqual(15);
  });

  it('keeps no more than 64 MiB', () => {
    const recent = new RecentRecords();
    const large = Buffer.alloc(1024 * 1024);
    for (let count = 0; count < 200; count++) recent.add('one', large, count);
    expect(recent.of('one').length).toBeLessThanOrEqual(65);
    expect(recent.of('one').length).toBeGreaterThan(30);
  });
});
