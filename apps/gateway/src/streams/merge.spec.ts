import { describe, expect, it } from '@jest/globals';
import {
  compareCursors,
  type Cursor,
  parseCursor,
  type PieceEvent,
  type RowEvent,
  type SessionEvent,
  START,
} from '@soma/contracts';
import type { TimelineRow } from '@soma/sessions';
import fc from 'fast-check';
import { SessionMerge } from './merge.ts';

type Heard = { row: TimelineRow } | { piece: PieceEvent };

/** What the text of one `assistant.started` came to. */
interface AnswerSummary {
  seq: number;
  turnId: string;
  keep: number;
  text: string;
  /** The type of the row that ended it. */
  end: string;
}

const envelope = {
  schema: 'conversation.outbound.v1',
  tenant_id: 'acme',
  session_id: 's',
  principal: { subject: 'somebody' },
  occurred_at: '2026-01-31T09:30:00.000Z',
};

/** A session, written down the way its gateway and its workers would. */
class Script {
  /** All that happened, in the order in which it was committed or sent. */
  readonly history: Heard[] = [];
  readonly answers: AnswerSummary[] = [];
  #seq = 0;
  #text = '';

  get rows(): TimelineRow[] {
    return this.history.flatMap((heard) => ('row' in heard ? [heard.row] : []));
  }

  /** The text of the turn that runs. */
  get text(): string {
    return this.#text;
  }

  row(type: RowEvent['type'], turnId: string, fields: Partial<RowEvent> = {}): void {
    const seq = ++this.#seq;
    const cursor = `${seq}.0`;
    const event = { ...envelope, type, seq, cursor, turn_id: turnId, message: '', ...fields };
    this.history.push({ row: { seq, type, turnId, envelope: JSON.stringify(event) } });
    const answer = this.answers.at(-1);
    if (answer?.turnId === turnId && answer.end === 'open') answer.end = type;
    if (type !== 'assistant.started') return;
    const { keep = 0 } = fields;
    this.#text = this.#text.slice(0, keep);
    this.answers.push({ seq, turnId, keep, text: this.#text, end: 'open' });
  }

  piece(message: string, from = this.#text.length): void {
    const answer = this.answers.at(-1);
    if (answer === undefined) throw new Error('No answer is open.');
    this.#text = this.#text.slice(0, from) + message;
    answer.text = this.#text;
    const { seq, turnId } = answer;
    const to = this.#text.length;
    this.history.push({
      piece: {
        ...envelope,
        ...{ type: 'assistant.delta', role: 'assistant', turn_id: turnId, message, from, to },
        ...{ seq, started_seq: seq, cursor: `${seq}.${to}` },
      },
    });
  }

  repeatText(): void {
    this.piece(this.#text, 0);
  }
}

const anyText = fc
  .array(fc.constantFrom('a', '\n', '"', 'é', 'e\u0301', '\u{1f389}', '\u{1f469}\u200d\u{1f52c}'), {
    minLength: 1,
    maxLength: 3,
  })
  .map((graphemes) => graphemes.join(''));
const anyEnd = fc.constantFrom(
  ...(['tool.start', 'approval.requested', 'restart'] as const),
  ...(['assistant.final', 'assistant.error', 'assistant.cancelled'] as const),
);
const anyAttempt = fc.record({
  pieces: fc.array(
    fc.record({ text: anyText, messageBefore: fc.boolean(), repeatAfter: fc.boolean() }),
    { maxLength: 5 },
  ),
  end: anyEnd,
});
type AttemptPlan = ReturnType<typeof anyAttempt.generate>['value'];
const anyTurn = fc.array(anyAttempt, { minLength: 1, maxLength: 4 });

/** Any session: turns of several attempts, with steps, cancels and other messages in between. */
const anyScript = fc.array(anyTurn, { minLength: 1, maxLength: 3 }).map((turns) => {
  const script = new Script();
  turns.forEach((attempts, index) => {
    writeTurn(script, `turn-${index}`, attempts);
    // The next turn begins when this one has ended; the last one may be open still.
    if (index < turns.length - 1) script.row('assistant.cancelled', `turn-${index}`);
  });
  return script;
});

function writeTurn(script: Script, turnId: string, attempts: AttemptPlan[]): void {
  script.row('user.message', turnId);
  let keep = 0;
  for (const { pieces, end } of attempts) {
    script.row('assistant.started', turnId, { keep });
    for (const piece of pieces) writePiece(script, turnId, piece);
    if (endAttempt(script, turnId, end)) return;
    if (end !== 'restart') keep = script.text.length;
  }
}

function writePiece(script: Script, turnId: string, piece: AttemptPlan['pieces'][number]): void {
  if (piece.messageBefore) script.row('user.message', `${turnId}-queued`);
  script.piece(piece.text);
  if (piece.repeatAfter) script.repeatText();
}

/** Answers whether the turn has ended with it. */
function endAttempt(script: Script, turnId: string, end: AttemptPlan['end']): boolean {
  switch (end) {
    case 'assistant.final':
      script.row(end, turnId, { message: script.text });
      return true;
    case 'assistant.error':
    case 'assistant.cancelled':
      script.row(end, turnId, { message: 'This is not text of the answer.' });
      return true;
    case 'tool.start':
    case 'approval.requested':
      script.row(end, turnId, { text: script.text });
      script.row('tool.result', turnId);
      return false;
    case 'restart':
      return false;
  }
}

/** One subscriber of one gateway, from a position on. */
class Reader {
  readonly received: SessionEvent[] = [];
  readonly #merge: SessionMerge;

  constructor(private position: Cursor) {
    this.#merge = new SessionMerge(Math.max(position.seq - 1, 0));
  }

  hear(heard: Heard, timeline: TimelineRow[]): void {
    if ('row' in heard) this.#merge.row(heard.row);
    else this.#merge.piece(heard.piece, JSON.stringify(heard.piece));
    if (this.#merge.isBehind) this.read(timeline);
    this.#send();
  }

  read(timeline: TimelineRow[]): void {
    for (const row of timeline.slice(this.#merge.last)) this.#merge.row(row);
    this.#send();
  }

  #send(): void {
    for (let next = this.#merge.next(this.position); next; next = this.#merge.next(this.position)) {
      this.received.push(JSON.parse(next.frame.socketText.toString()) as SessionEvent);
      this.position = next.position;
    }
    expect(this.#merge.serves(this.position)).toBe(true);
    this.#merge.forget();
  }
}

/** What a log makes of a history: records are lost, repeated and come in another order. */
const anyLog = (history: Heard[]): fc.Arbitrary<Heard[]> =>
  fc
    .record({
      once: fc.subarray(history),
      again: fc.subarray(history),
      delays: fc.array(fc.nat(25), { minLength: 8, maxLength: 8 }),
    })
    .map(({ once, again, delays }) =>
      [...once, ...again]
        .map((heard, index) => {
          const delay = delays[index % delays.length] ?? 0;
          return { heard, at: history.indexOf(heard) + delay };
        })
        .sort((left, right) => left.at - right.at)
        .map(({ heard }) => heard),
    );

/** Feeds a reader with a messy log and then, as the comparison every 5 s does, with the timeline. */
function play(reader: Reader, log: Heard[], { rows }: Script): SessionEvent[] {
  for (const heard of log) {
    // What is committed when something is heard: at least the rows before it.
    const until = 'row' in heard ? heard.row.seq : heard.piece.started_seq;
    reader.hear(heard, rows.slice(0, until));
  }
  reader.read(rows);
  return reader.received;
}

const withLogs = anyScript.chain((script) =>
  fc.record({
    script: fc.constant(script),
    log: anyLog(script.history),
    moreLogs: fc.array(anyLog(script.history), { minLength: 1, maxLength: 3 }),
    cut: fc.nat(),
  }),
);

function isDelta(event: SessionEvent): event is PieceEvent {
  return event.type === 'assistant.delta';
}

const endsWithText = ['assistant.final', 'tool.start', 'approval.requested'];

/** Asserts that a stream from the start has every row once, in order, with the right text between. */
function expectWhole(received: SessionEvent[], { rows, answers }: Script): void {
  const deltas = received.filter(isDelta);
  const held = answers.find(({ end }) => end === 'open')?.seq ?? Infinity;
  expect(received.filter((event) => !isDelta(event)).map(({ seq }) => seq)).toEqual(
    rows.map(({ seq }) => seq).filter((seq) => seq <= held),
  );
  for (const { seq, keep, text, end } of answers) {
    let have = keep;
    for (const delta of deltas.filter((candidate) => candidate.seq === seq)) {
      expect(delta.from).toBe(have);
      expect(delta.message).toBe(text.slice(delta.from, delta.to));
      expect(delta.message.isWellFormed()).toBe(true);
      have = delta.to;
    }
    if (endsWithText.includes(end)) expect(have).toBe(text.length);
  }
}

function cursorsOf(events: SessionEvent[]): Cursor[] {
  return events.map(({ cursor }) => parseCursor(cursor) ?? START);
}

function expectRising(cursors: Cursor[]): void {
  cursors.slice(1).forEach((cursor, index) => {
    expect(compareCursors(cursors[index] ?? START, cursor)).toBeLessThan(0);
  });
}

describe('SessionMerge', () => {
  it('makes a whole stream in the order of cursors of a log that loses, repeats and reorders', () => {
    fc.assert(
      fc.property(withLogs, ({ script, log }) => {
        const received = play(new Reader(START), log, script);
        expectRising(cursorsOf(received));
        expectWhole(received, script);
      }),
      { numRuns: 150 },
    );
  });

  it('goes on from any cursor in a process that knows anything or nothing', () => {
    fc.assert(
      fc.property(withLogs, ({ script, log, moreLogs, cut }) => {
        let received = play(new Reader(START), log, script);
        for (const another of moreLogs) {
          // The client lost the connection, and with it whatever was still on the way.
          received = received.slice(0, cut % (received.length + 1));
          const position = cursorsOf(received).at(-1) ?? START;
          received = [...received, ...play(new Reader(position), another, script)];
          expectRising(cursorsOf(received));
        }
        expectWhole(received, script);
      }),
      { numRuns: 150 },
    );
  });

  it('joins to the final message when text is cut back to `keep` at each start', () => {
    fc.assert(
      fc.property(withLogs, ({ script, log }) => {
        const texts = new Map<string | null, string>();
        for (const event of play(new Reader(START), log, script)) {
          const text = texts.get(event.turn_id) ?? '';
          if (event.type === 'assistant.started')
            texts.set(event.turn_id, text.slice(0, event.keep));
          if (event.type === 'assistant.delta') texts.set(event.turn_id, text + event.message);
          if (event.type === 'assistant.final') expect(text).toBe(event.message);
        }
      }),
      { numRuns: 150 },
    );
  });

  it('sends what it can of an open answer, as soon as it can', () => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 1, maxLength: 6 }), (texts) => {
        const script = openAnswer();
        texts.forEach((text) => {
          script.piece(text);
        });
        const reader = new Reader(START);
        for (const heard of script.history) reader.hear(heard, script.rows);
        expect(reader.received.slice(2).map((event) => textOf(event))).toEqual(texts);
      }),
    );
  });

  it('waits at a gap in the text until the whole text comes', () => {
    const script = openAnswer();
    for (const text of ['one ', 'two ', 'three']) script.piece(text);
    script.repeatText();
    const [, , one, , three, whole] = script.history as [Heard, Heard, Heard, Heard, Heard, Heard];
    const reader = new Reader(START);
    for (const heard of [one, three]) reader.hear(heard, script.rows);
    expect(reader.received.map((event) => textOf(event)).slice(2)).toEqual(['one ']);
    reader.hear(whole, []);
    expect(reader.received.map((event) => textOf(event)).slice(2)).toEqual(['one ', 'two three']);
  });

  it('holds other rows back while an answer is open, and sends its tail before them', () => {
    const script = openAnswer();
    script.piece('lost');
    script.row('user.message', 'b');
    const reader = new Reader(START);
    reader.read(script.rows);
    expect(typesOf(reader)).toEqual(['user.message', 'assistant.started']);
    script.row('assistant.final', 'a', { message: 'lost' });
    reader.read(script.rows);
    expect(typesOf(reader).slice(2)).toEqual([
      'assistant.delta',
      'user.message',
      'assistant.final',
    ]);
  });

  it('sends no more of a text once it is withdrawn', () => {
    const script = openAnswer();
    script.piece('withdrawn');
    const piece = script.history.at(-1);
    script.row('assistant.cancelled', 'a');
    const reader = new Reader(START);
    reader.read(script.rows);
    if (piece) reader.hear(piece, []);
    expect(typesOf(reader)).toEqual(['user.message', 'assistant.started', 'assistant.cancelled']);
  });

  it('forgets text that is withdrawn, also for those who come later', () => {
    const script = openAnswer();
    script.piece('withdrawn');
    script.row('assistant.error', 'a', { message: 'It failed.' });
    const merge = new SessionMerge(0);
    for (const heard of script.history) {
      if ('row' in heard) merge.row(heard.row);
      else merge.piece(heard.piece, '');
    }
    expect(merge.next({ seq: 2, offset: 0 })?.position).toEqual({ seq: 3, offset: 0 });
    expect(merge.contains({ seq: 2, offset: 4 })).toBe(true);
  });

  it('asks for the rows before one that it hears of', () => {
    const script = openAnswer();
    const merge = new SessionMerge(0);
    for (const row of script.rows.slice(1)) merge.row(row);
    expect(merge.isBehind).toBe(true);
    for (const row of script.rows) merge.row(row);
    expect(merge.isBehind).toBe(false);
  });

  it('passes a piece on as it came to whoever has all before it', () => {
    const script = openAnswer();
    script.piece('as it came');
    const merge = new SessionMerge(0);
    for (const heard of script.history) {
      if ('row' in heard) merge.row(heard.row);
      else merge.piece(heard.piece, '{"as":"it came"}');
    }
    const [first, second] = [START, START].map(() => merge.next({ seq: 2, offset: 0 }));
    expect(first?.frame.socketText.toString()).toBe('{"as":"it came"}');
    expect(second?.frame).toBe(first?.frame);
  });

  it('tells a cursor beyond the text of its row', () => {
    const script = openAnswer();
    script.row('assistant.final', 'a', { message: 'four' });
    const merge = new SessionMerge(0);
    for (const row of script.rows) merge.row(row);
    const within = ['0.0', '1.0', '2.0', '2.4', '3.0'];
    const beyond = ['0.1', '1.1', '2.5', '3.4'];
    expect(within.filter((text) => merge.contains(parseCursor(text) ?? START))).toEqual(within);
    expect(beyond.filter((text) => merge.contains(parseCursor(text) ?? START))).toEqual([]);
  });

  it('keeps a bounded part of the rows held back, and has the rest read again', () => {
    const script = openAnswer();
    for (let count = 0; count < 5; count++)
      script.row('user.message', 'b', { message: 'x'.repeat(100_000) });
    const merge = new SessionMerge(0);
    for (const row of script.rows) merge.row(row);
    const position = { seq: 2, offset: 0 };
    merge.forget();
    expect(merge.serves(position)).toBe(true);
    script.row('assistant.final', 'a', { message: 'text' });
    for (const row of script.rows) merge.row(row);
    const tail = merge.next(position);
    expect(tail?.position).toEqual({ seq: 2, offset: 4 });
    expect(merge.next({ seq: 2, offset: 4 })).toBeNull();
    expect(merge.serves({ seq: 2, offset: 4 })).toBe(false);
    merge.rewind(2);
    for (const row of script.rows) merge.row(row);
    expect(merge.next({ seq: 2, offset: 4 })?.position).toEqual({ seq: 3, offset: 0 });
  });
});

function openAnswer(): Script {
  const script = new Script();
  script.row('user.message', 'a');
  script.row('assistant.started', 'a', { keep: 0 });
  return script;
}

function textOf(event: SessionEvent): string {
  return event.message;
}

function typesOf(reader: Reader): string[] {
  return reader.received.map(({ type }) => type);
}
