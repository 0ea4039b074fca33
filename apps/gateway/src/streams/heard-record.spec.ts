import { describe, expect, it } from '@jest/globals';
import { readRecord } from './heard-record.ts';

describe('readRecord', () => {
  it('passes on a row of a type that a later version writes', () => {
    const envelope = '{"type":"assistant.mood","seq":7,"turn_id":null,"mood":"new"}';
    const row = { seq: 7, type: 'assistant.mood', turnId: null, envelope };
    expect(readRecord(envelope)).toEqual({ kind: 'row', row });
  });

  it('refuses what is no event of a session', () => {
    const piece = '{"type":"assistant.delta","seq":7,"turn_id":null}';
    for (const text of ['', '{', 'null', '[]', '{"type":"user.message"}', piece]) {
      expect(() => readRecord(text)).toThrow();
    }
  });
});
