import { describe, expect, it } from '@jest/globals';
import { isDatabaseFault } from './database-fault.ts';

const withCode = (code: string) => Object.assign(new Error('failed'), { code });

describe('isDatabaseFault', () => {
  it.each([
    ['a lost connection', withCode('08006')],
    ['a deadlock', withCode('40P01')],
    ['a full disk', withCode('53100')],
    ['a shutdown', withCode('57P01')],
    ['a refused connection', withCode('ECONNREFUSED')],
    ['a pool that gave up', new Error('timeout exceeded when trying to connect')],
    ['a cut without a code', new Error('Connection terminated unexpectedly')],
  ])('is one: %s', (_what, error) => {
    expect(isDatabaseFault(error)).toBe(true);
  });

  it.each([
    ['a value that is there already', withCode('23505')],
    ['a value that cannot be stored', withCode('22021')],
    ['a row that security refuses', withCode('42501')],
    ['a defect', new TypeError('undefined is not a function')],
    ['no error at all', 'connection'],
  ])('is none: %s', (_what, error) => {
    expect(isDatabaseFault(error)).toBe(false);
  });
});
