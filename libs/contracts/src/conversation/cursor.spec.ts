import { describe, expect, it } from '@jest/globals';
import { assert, nat, property, record } from 'fast-check';
import { compareCursors, formatCursor, parseCursor } from './cursor.ts';

const cursor = record({ seq: nat(), offset: nat() });

describe('a cursor', () => {
  it('is read as it was written', () => {
    assert(
      property(cursor, (place) => {
        expect(parseCursor(formatCursor(place))).toEqual(place);
      }),
    );
  });

  it('is ordered by its row first, and then by its offset in the text', () => {
    assert(
      property(cursor, cursor, (left, right) => {
        const expected = left.seq === right.seq ? left.offset - right.offset : left.seq - right.seq;
        expect(Math.sign(compareCursors(left, right))).toBe(Math.sign(expected));
        expect(Math.sign(compareCursors(right, left))).toBe(-Math.sign(expected) + 0);
      }),
    );
  });

  it('may leave the offset out', () => {
    expect(parseCursor('12')).toEqual({ seq: 12, offset: 0 });
  });

  it.each(['', '.', '1.', '.1', '01', '1.01', '-1', '1.0.0', ' 1', '1e3', '9'.repeat(16)])(
    'is not "%s"',
    (text) => {
      expect(parseCursor(text)).toBeNull();
    },
  );
});
