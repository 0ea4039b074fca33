import { describe, expect, it } from '@jest/globals';
import { TransientError } from '@soma/kernel';
import { BatchHandler, type TopicBatch } from './batch-handler.ts';
import type { IncomingRecord } from './incoming-record.ts';
import { type Note, noteTopic } from './spec-support.ts';

const topic = { ...noteTopic('notes'), retry: { attempts: 3, firstDelayMs: 1 } };

function recordOf(text: string, more: object = {}): IncomingRecord {
  const value = JSON.stringify({ key: 'key', text, ...more });
  return { key: 'key', value, headers: {}, partition: 0, offset: '0', timestamp: 0 };
}

/** Handles batches by a rule, and remembers what was written and what was set aside. */
function createHandler(
  rule: (batch: TopicBatch<Note>) => void,
  {
    signal = new AbortController().signal,
    onLetter = () => undefined,
  }: { signal?: AbortSignal; onLetter?: () => void } = {},
) {
  const written: string[] = [];
  const aside: { value: string; error: unknown; retries: number }[] = [];
  const tries: number[] = [];
  const handler = new BatchHandler<Note>({
    topic,
    signal,
    handle: (batch) => {
      tries.push(batch.length);
      rule(batch);
      written.push(...batch.map(({ value }) => value.text));
      return Promise.resolve();
    },
    setAside: ({ value }, error, retries) => {
      onLetter();
      aside.push({ value, error, retries });
      return Promise.resolve();
    },
    isServerFault: (error) => error instanceof TransientError,
    onServerFault: () => undefined,
  });
  return { handler, written, aside, tries };
}

describe('BatchHandler', () => {
  it('hands a batch over whole, without the fields that this version does not know', async () => {
    const values: Note[] = [];
    const { handler, tries } = createHandler((batch) => {
      values.push(...batch.map(({ value }) => value));
    });

    await handler.execute([recordOf('one', { later: true }), recordOf('two')]);

    expect(tries).toEqual([2]);
    expect(values).toEqual([
      { key: 'key', text: 'one' },
      { key: 'key', text: 'two' },
    ]);
  });

  it('sets aside what is not JSON or not by the schema, and handles the rest (P5)', async () => {
    const { handler, written, aside } = createHandler(() => undefined);
    const broken = { ...recordOf(''), value: '{"key":' };
    const foreign = { ...recordOf(''), value: '{"key":1}' };

    await handler.execute([broken, recordOf('good'), foreign]);

    expect(written).toEqual(['good']);
    expect(aside.map(({ value, retries }) => [value, retries])).toEqual([
      ['{"key":', 0],
      ['{"key":1}', 0],
    ]);
  });

  it('finds the records that fail alone, sets only them aside, and keeps the order (P5)', async () => {
    const texts = Array.from({ length: 100 }, (_, index) => String(index));
    const poison = new Error('violates a constraint');
    const { handler, written, aside, tries } = createHandler((batch) => {
      if (batch.some(({ value }) => ['13', '77'].includes(value.text))) throw poison;
    });

    await handler.execute(texts.map((text) => recordOf(text)));

    expect(written).toEqual(texts.filter((text) => !['13', '77'].includes(text)));
    expect(aside).toEqual([
      { value: recordOf('13').value, error: poison, retries: 1 },
      { value: recordOf('77').value, error: poison, retries: 1 },
    ]);
    expect(tries.length).toBeLessThan(40);
  });

  it('handles every good one before it turns to the poison beside them (P5)', async () => {
    const writtenBefore: number[] = [];
    const { handler, written, aside } = createHandler(
      (batch) => {
        if (batch.some(({ value }) => value.text === 'poison')) throw new Error('violates');
      },
      { onLetter: () => writtenBefore.push(written.length) },
    );
    const broken = { ...recordOf(''), value: 'no JSON' };

    await handler.execute([
      ...[recordOf('one'), broken, recordOf('poison'), recordOf('two'), recordOf('three')],
    ]);

    expect(writtenBefore).toEqual([3, 3]);
    expect(aside.map(({ value }) => value)).toEqual(['no JSON', recordOf('poison').value]);
  });

  it("waits out a server's fault and sets nothing aside", async () => {
    let faults = 20;
    const { handler, written, aside, tries } = createHandler(() => {
      if (faults-- > 0) throw new TransientError('Writing');
    });

    await handler.execute([recordOf('one'), recordOf('two')]);

    expect(tries).toEqual(Array.from({ length: 21 }, () => 2));
    expect([written, aside]).toEqual([['one', 'two'], []]);
  });

  it('tells of a stop instead of setting a record aside', async () => {
    const stop = new AbortController();
    const { handler, aside } = createHandler(
      () => {
        stop.abort();
        throw new Error('stopped half-way');
      },
      { signal: stop.signal },
    );

    await expect(handler.execute([recordOf('one')])).rejects.toThrow('abort');
    expect(aside).toEqual([]);
  });
});
