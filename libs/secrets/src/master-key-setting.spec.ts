import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { describeConfig, loadConfig } from '@soma/kernel';
import { z } from 'zod';
import { Envelope } from './envelope.ts';
import { loadMasterKeys, masterKeySetting, otherMasterKeysSetting } from './master-key-setting.ts';

const schema = z.object({ SOMA_MASTER_KEY: masterKeySetting });
const key = randomBytes(32).toString('base64');

describe('masterKeySetting', () => {
  it('takes 32 bytes in base64', () => {
    const { SOMA_MASTER_KEY } = loadConfig(schema, { SOMA_MASTER_KEY: key });

    expect(() => new Envelope(SOMA_MASTER_KEY)).not.toThrow();
  });

  it.each([
    ['too short', randomBytes(31).toString('base64')],
    ['too long', randomBytes(33).toString('base64')],
    ['in hexadecimal', randomBytes(32).toString('hex')],
    ['with a stray character', `${key.slice(0, 10)}!${key.slice(10)}`],
  ])('says in one sentence what is wrong with a key that is %s', (_fault, value) => {
    const load = () => loadConfig(schema, { SOMA_MASTER_KEY: value });

    expect(load).toThrow('SOMA_MASTER_KEY: must be 32 random bytes in base64');
    expect(load).not.toThrow(value);
  });

  it('says when it is missing', () => {
    expect(() => loadConfig(schema, {})).toThrow('SOMA_MASTER_KEY: must be set');
  });

  it('is documented as a secret', () => {
    expect(describeConfig(schema)).toMatchObject([{ name: 'SOMA_MASTER_KEY', secret: true }]);
  });
});

describe('loadMasterKeys', () => {
  const [old, next] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];

  it('reads the variable that it is told, and the keys beside it', () => {
    const keys = loadMasterKeys('OUR_KEY', { OUR_KEY: key, OUR_KEY_OTHERS: `${old},${next}` });

    expect(keys.current.reveal()).toBe(key);
    expect(keys.others.map((each) => each.reveal())).toEqual([old, next]);
    expect(loadMasterKeys('OUR_KEY', { OUR_KEY: key }).others).toEqual([]);
  });

  it('takes no other variable for one that is missing (P7)', () => {
    expect(() => loadMasterKeys('OUR_KEY', { SOMA_MASTER_KEY: key })).toThrow(
      'OUR_KEY: must be set',
    );
  });

  it('says all that is wrong, and none of the keys (P8)', () => {
    const load = () => loadMasterKeys('K', { K: 'short', K_OTHERS: `${old},${next}x` });

    expect(load).toThrow(/K: must be 32 random bytes.*K_OTHERS\S*: must be 32 random bytes/s);
    expect(load).not.toThrow(next);
  });

  it('documents the others as secret', () => {
    const schema = z.object({ SOMA_MASTER_KEY_OTHERS: otherMasterKeysSetting });

    expect(describeConfig(schema)).toMatchObject([{ secret: true, required: false }]);
  });
});
