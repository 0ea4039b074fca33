import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { validate, version } from 'uuid';
import { newIdentifier } from './identifier.ts';

describe('newIdentifier', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('makes ids of version 7 that are all different', () => {
    const ids = Array.from({ length: 10_000 }, newIdentifier);

    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
  });

  it('keeps the order of creation, within a millisecond and while the clock goes back', () => {
    jest.useFakeTimers({ now: Date.now() + 10_000 });
    const ids = Array.from({ length: 1_000 }, newIdentifier);
    jest.setSystemTime(Date.now() - 5_000);
    ids.push(...Array.from({ length: 1_000 }, newIdentifier));
    jest.setSystemTime(Date.now() + 6_000);
    ids.push(newIdentifier());

    expect(ids).toEqual(ids.toSorted());
  });

  it('says when it was made', () => {
    const now = Date.now() + 60_000;
    jest.useFakeTimers({ now });

    expect(Number.parseInt(newIdentifier().replaceAll('-', '').slice(0, 12), 16)).toBe(now);
  });
});
