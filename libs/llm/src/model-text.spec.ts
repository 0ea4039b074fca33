import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ModelText } from './model-text.ts';

/** Text with everything that models and scripts can send: emoji, NUL, halves of surrogate pairs. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('\0', '\ud83d', '\ude00', '👩‍👩‍👧', 'e\u0301'),
    ),
  )
  .map((parts) => parts.join(''));

function stream(pieces: readonly string[]): string[] {
  const text = new ModelText();
  return [...pieces.map((piece) => text.push(piece)), text.flush()];
}

/** The text in pieces, cut at any places at all, also inside surrogate pairs. */
const anyPieces = fc.tuple(anyText, fc.array(fc.nat())).map(([text, cuts]) => {
  const places = [0, ...cuts.map((cut) => cut % (text.length + 1)).sort((a, b) => a - b)];
  return places.map((from, at) => text.slice(from, places[at + 1] ?? text.length));
});

describe('ModelText', () => {
  it('gives the same text wherever the stream was cut', () => {
    fc.assert(
      fc.property(anyPieces, (pieces) => {
        const whole = pieces.join('').toWellFormed().replaceAll('\0', '\ufffd');
        expect(stream(pieces).join('')).toBe(whole);
      }),
    );
  });

  it('never yields a lone surrogate or NUL', () => {
    fc.assert(
      fc.property(anyPieces, (pieces) => {
        const unsafe = stream(pieces).filter((each) => !each.isWellFormed() || each.includes('\0'));
        expect(unsafe).toEqual([]);
      }),
    );
  });

  it('waits for the second half of a pair', () => {
    expect(stream(['a\ud83d', '\ude00b'])).toEqual(['a', '😀b', '']);
  });
});
