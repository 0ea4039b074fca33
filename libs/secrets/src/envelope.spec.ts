import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { Secret } from '@soma/kernel';
import { Envelope, type SealContext, UnsealError } from './envelope.ts';

const newMasterKey = (): Secret => new Secret(randomBytes(32).toString('base64'));

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
    for (const [part, text] of parts.slice(1).entries()) {
      const bytes = Buffer.from(text, 'base64url');
      for (const index of bytes.keys()) {
        const altered = Buffer.from(bytes);
        altered[index] = (altered[index] ?? 0) ^ 1;
        const forged = parts.with(part + 1, altered.toString('base64url')).join('.');
        expect(() => envelope.open(forged, context)).toThrow(UnsealError);
      }
    }
  });

  it('does not open as another version', () => {
    expect(() => envelope.open(sealed.replace(/^v1/, 'v2'), context)).toThrow(UnsealError);
  });

  it('does not open with the key of another value', () => {
    const other = envelope.seal(new Secret('other'), context).split('.');

    expect(() =>
      envelope.open(
        sealed
          .split('.')
          .with(1, other[1] ?? '')
          .join('.'),
        context,
      ),
    ).toThrow(UnsealError);
  });

  it.each(['', 'v1', 'v1..', 'v2.a.b', 'v1.a.b.c', 'plain text'])('refuses %j', (text) => {
    expect(() => envelope.open(text, context)).toThrow(UnsealError);
  });

  it('accepts no tag shorter than its full length', () => {
    const parts = sealed.split('.');
    const short = Buffer.from(parts[2] ?? '', 'base64url').subarray(0, 12 + 8);

    expect(() =>
      envelope.open(parts.with(2, short.toString('base64url')).join('.'), context),
    ).toThrow(UnsealError);
  });
});
