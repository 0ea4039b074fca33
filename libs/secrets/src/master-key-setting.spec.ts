import { randomBytes } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import { describeConfig, loadConfig } from '@soma/kernel';
import { z } from 'zod';
import { Envelope } from './envelope.ts';
import { masterKeySetting } from './master-key-setting.ts';

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
