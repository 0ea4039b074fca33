import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createLogger } from '@soma/observability';
import { PublishedMarks } from './published-marks.ts';

describe('published marks', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
  });

  it('goes on after a database that took longer than marks are collected', async () => {
    const written: string[] = [];
    const slow = Promise.withResolvers<undefined>();
    const marks = new PublishedMarks(
      {
        markPublished: async (ids) => {
          if (ids.includes('first')) await slow.promise;
          written.push(...ids);
        },
        takeUnpublished: () => Promise.resolve(0),
        backlog: () => Promise.resolve({ count: 0, oldestAgeSeconds: 0 }),
      },
      createLogger({ service: 'test', level: 'silent' }),
    );

    marks.add(['first']);
    await jest.advanceTimersByTimeAsync(100);
    marks.add(['second']);
    await jest.advanceTimersByTimeAsync(100);
    slow.resolve(undefined);
    await jest.advanceTimersByTimeAsync(0);
    marks.add(['third']);
    await jest.advanceTimersByTimeAsync(100);

    expect(written).toEqual(['first', 'second', 'third']);
  });
});
