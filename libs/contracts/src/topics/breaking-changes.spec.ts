import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { findBreakingChanges } from './breaking-changes.ts';

const released = z.object({
  id: z.string(),
  kind: z.enum(['one', 'two']),
  count: z.int().optional(),
  owner: z.object({ name: z.string() }),
  tags: z.array(z.string()).optional(),
});

function breaksOf(current: z.ZodType): string[] {
  return findBreakingChanges(z.toJSONSchema(released), z.toJSONSchema(current));
}

describe('findBreakingChanges', () => {
  it('finds nothing in the same schema, nor in a new optional field at any depth', () => {
    const grown = released.extend({
      note: z.string().optional(),
      owner: z.object({ name: z.string(), mail: z.string().optional() }),
    });

    expect([breaksOf(released), breaksOf(grown)]).toEqual([[], []]);
  });

  it.each([
    ['a new required field', released.extend({ note: z.string() }), '/note is required now'],
    ['a field that is gone', released.omit({ count: true }), '/count is gone'],
    ['a required field made optional', released.partial({ id: true }), '/id is optional now'],
    ['another type', released.extend({ count: z.string().optional() }), '/count has another type'],
    [
      'another number type',
      released.extend({ count: z.number().optional() }),
      '/count has another',
    ],
    [
      'an enum value removed',
      released.extend({ kind: z.enum(['one']) }),
      '/kind is no longer "two"',
    ],
    [
      'an enum value added',
      released.extend({ kind: z.enum(['one', 'two', 'x']) }),
      '/kind may be "x"',
    ],
    [
      'a change further down',
      released.extend({ owner: z.object({ name: z.int() }) }),
      '/owner/name',
    ],
    [
      'other elements',
      released.extend({ tags: z.array(z.int()).optional() }),
      '/tags/* has another',
    ],
    ['other alternatives', z.union([released, z.string()]), '/ has other alternatives'],
  ])('finds %s', (_what, current, sentence) => {
    expect(breaksOf(current)).toContainEqual(expect.stringContaining(sentence));
  });
});
