import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import fc from 'fast-check';
import { Envelope, type SealContext, UnsealError } from './envelope.ts';

const newMasterKey = (): Secret => new Secret(randomBytes(32).toString('base64'));

/** Sealed for `['identity.signing_keys', 'key-1']` while texts named no master key. */
const FIRST_FORMAT = {
  masterKey: Buffer.alloc(32, 7).toString('base64'),
  sealed: [
    'v1',
    '16EgPvkv9O9A3vXXdxJTSMZBg3wlG6cPjO4FV0EYZqSELUlA4m-N81yAmbrxoQyHin4BEjdAln0OYSLM',
    'iR7fvcct_dWPwY7LvYcji4qEG5LYT5B4LliC4IATS_lmbjPzfX3zRADyOqSjgPOgSdOPsck',
  ].join('.'),
};

describe('Envelope', () => {
  const context: SealContext = ['identity.signing_keys', 'key-1'];
  const envelope = new Envelope(newMasterKey());
  const sealed = envelope.seal(new Secret('pässword 🔑'), context);

  it('opens what it sealed', () => {
    expect(envelope.open(sealed, context).reveal()).toBe('pässword 🔑');
    expect(envelope.open(envelope.seal(new Secret(''), context), context).reveal()).toBe('');
  });

  it('shows nothing of the secret, and never the same text twice', () => {
    expect(sealed).not.toContain(Buffer.from('pässword').toString('base64url').slice(0, 8));
    expect(envelope.seal(new Secret('pässword 🔑'), context)).not.toBe(sealed);
  });

  it('opens under the same master key in another process', () => {
    const masterKey = newMasterKey();
    const stored = new Envelope(masterKey).seal(new Secret('value'), context);

    expect(new Envelope(masterKey).open(stored, context).reveal()).toBe('value');
  });

  it.each<[string, SealContext]>([
    ['purpose', ['webhooks.secrets', 'key-1']],
    ['id', ['identity.signing_keys', 'key-2']],
    ['number of ids', ['identity.signing_keys']],
    ['division into ids', ['identity.signing_keys","key-1']],
  ])('does not open with another %s', (_name, other) => {
    expect(() => envelope.open(sealed, other)).toThrow(UnsealError);
  });

  it('does not open under another master key', () => {
    expect(() => new Envelope(newMasterKey()).open(sealed, context)).toThrow(UnsealError);
  });

  it('does not open once any part of it was altered', () => {
    const parts = sealed.split('.');
    for (const [part, text] of parts.slice(2).entries()) {
      const bytes = Buffer.from(text, 'base64url');
      for (const index of bytes.keys()) {
        const altered = Buffer.from(bytes);
        altered[index] = (altered[index] ?? 0) ^ 1;
        const forged = parts.with(part + 2, altered.toString('base64url')).join('.');
        expect(() => envelope.open(forged, context)).toThrow(UnsealError);
      }
    }
  });

  it('does not open as another version', () => {
    expect(() => envelope.open(sealed.replace(/^v2/, 'v1'), context)).toThrow(UnsealError);
  });

  it('does not open with the key of another value', () => {
    const other = envelope.seal(new Secret('other'), context).split('.');

    expect(() =>
      envelope.open(
        sealed
          .split('.')
          .with(2, other[2] ?? '')
          .join('.'),
        context,
      ),
    ).toThrow(UnsealError);
  });

  it.each(['', 'v1', 'v1..', 'v2.a.b', 'v2...', 'v1.a.b.c', 'v3.a.b.c', 'plain text'])(
    'refuses %j',
    (text) => {
      expect(() => envelope.open(text, context)).toThrow(UnsealError);
    },
  );

  it('accepts no tag shorter than its full length', () => {
    const parts = sealed.split('.');
    const short = Buffer.from(parts[3] ?? '', 'base64url').subarray(0, 12 + 8);

    expect(() =>
      envelope.open(parts.with(3, short.toString('base64url')).join('.'), context),
    ).toThrow(UnsealError);
  });

  it('still opens what its first format holds', () => {
    const first = new Envelope(new Secret(FIRST_FORMAT.masterKey));

    expect(first.open(FIRST_FORMAT.sealed, context).reveal()).toBe('value of the first format');
    expect(() => first.open(FIRST_FORMAT.sealed, ['other'])).toThrow(UnsealError);
    expect(() => envelope.open(FIRST_FORMAT.sealed, context)).toThrow(UnsealError);
  });

  describe('when the master key is replaced', () => {
    const [old, next] = [newMasterKey(), newMasterKey()];
    const before = new Envelope(old);
    const between = new Envelope(next, [old]);
    const after = new Envelope(next);

    it('reads what either key sealed, and seals with the new one', () => {
      const stored = before.seal(new Secret('value'), context);

      expect(between.open(stored, context).reveal()).toBe('value');
      expect(
        new Envelope(old, [next]).open(between.seal(new Secret('new'), context), context),
      ).toEqual(new Secret('new'));
      expect(between.masterKeyId).toBe(after.masterKeyId);
      expect(between.masterKeyId).not.toBe(before.masterKeyId);
      expect([between.knows(before.masterKeyId), after.knows(before.masterKeyId)]).toEqual([
        true,
        false,
      ]);
    });

    it('wraps the data key anew and leaves the value as it is', () => {
      const stored = before.seal(new Secret('value'), context);
      const wrapped = between.rewrap(stored, context);

      expect(after.open(wrapped, context).reveal()).toBe('value');
      expect(wrapped.split('.')[1]).toBe(after.masterKeyId);
      expect(wrapped.split('.')[3]).toBe(stored.split('.')[3]);
      expect(() => before.open(wrapped, context)).toThrow(UnsealError);
      expect(() => after.rewrap(stored, context)).toThrow(UnsealError);
      expect(() => between.rewrap(stored, ['other'])).toThrow(UnsealError);
    });

    it('brings a value of the first format to the new key', () => {
      const both = new Envelope(next, [old, new Secret(FIRST_FORMAT.masterKey)]);
      const wrapped = both.rewrap(FIRST_FORMAT.sealed, context);

      expect(after.open(wrapped, context).reveal()).toBe('value of the first format');
    });
  });

  it('opens any text in its own context alone, after any number of new keys', () => {
    const part = fc.string({ unit: 'binary' });
    const cases = fc.record({
      text: part,
      ids: fc.array(part),
      others: fc.array(part),
      turns: fc.nat(4),
    });
    fc.assert(
      fc.property(cases, ({ text, ids, others, turns }) => {
        const keys = Array.from({ length: turns + 1 }, newMasterKey);
        const own: SealContext = ['purpose', ...ids];
        let stored = new Envelope(keys[0] ?? newMasterKey()).seal(new Secret(text), own);
        for (const [index, key] of keys.slice(1).entries()) {
          stored = new Envelope(key, keys.slice(index, index + 1)).rewrap(stored, own);
        }
        const last = new Envelope(keys.at(-1) ?? newMasterKey());
        const isOwn = JSON.stringify(ids) === JSON.stringify(others);
        const openOther = (): Secret => last.open(stored, ['purpose', ...others]);

        expect(last.open(stored, own).reveal()).toBe(Buffer.from(text, 'utf8').toString('utf8'));
        if (!isOwn) expect(openOther).toThrow(UnsealError);
      }),
    );
  });
});
