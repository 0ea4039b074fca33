import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionEvent } from '@soma/contracts';
import { newIdentifier } from '@soma/kernel';
import { until } from '@soma/testing';
import { readSocket, type Received, startCuttingRelay } from './spec-support.ts';
import { pathOf, type ScriptedTurn } from './scripted-turn/spec-support.ts';
import { isFinal, PIECES, Stage, TEXT } from './stage/spec-support.ts';

const CUTS_AT_ONCE = 250;
const LIMIT_MS = 240_000;
const [SAID = '', MORE = ''] = PIECES;

/** A way to read a session's events: up to a cut in one gateway, and on from there in the other one. */
interface Transport {
  begin: (turn: ScriptedTurn, cut: FirstPart) => Promise<Received[]>;
  resume: (turn: ScriptedTurn, rest: SecondPart) => Promise<Received[]>;
}

interface FirstPart {
  afterBytes: number;
  onEvent: (event: SessionEvent) => void;
}

interface SecondPart {
  lastId: string | undefined;
  onOpen: () => void;
}

/** Answers a turn as a worker does, and after each event waits until it is `heard`. */
type Script = (turn: ScriptedTurn, heard: () => Promise<void>) => Promise<void>;

/** Somebody whose stream is cut once, and who goes on in the other gateway. */
class Reader {
  wasCut = false;
  #last: string | undefined;
  #isElsewhere = false;

  constructor(private readonly transport: Transport) {}

  async read(turn: ScriptedTurn, afterBytes: number): Promise<Received[]> {
    const onEvent = ({ cursor }: SessionEvent): void => void (this.#last = cursor);
    const before = await this.transport.begin(turn, { afterBytes, onEvent });
    const last = before.at(-1);
    if (last !== undefined && isFinal(last.event)) return before;
    this.wasCut = true;
    const onOpen = (): void => void (this.#isElsewhere = true);
    return [...before, ...(await this.transport.resume(turn, { lastId: last?.id, onOpen }))];
  }

  /** Whether it has come as far as this, or has been cut and goes on elsewhere. */
  isPast(cursor: string): boolean {
    return this.#isElsewhere || this.#last === cursor;
  }
}

describe('streams that are cut', () => {
  const running = new AsyncDisposableStack();
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open(running);
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  /** Plays a turn to readers of whom each is cut one byte later; answers whether all were. */
  async function cutFrom(
    begin: number,
    { transport, script, story }: { transport: Transport; script: Script; story: unknown[] },
  ): Promise<boolean> {
    const turn = await stage.begin(newIdentifier().slice(-8));
    const readers = Array.from({ length: CUTS_AT_ONCE }, () => new Reader(transport));
    const streams = readers.map((reader, index) => reader.read(turn, begin + index));
    const heard = (): Promise<void> =>
      until(() => readers.every((reader) => reader.isPast(turn.cursor))).then(() => undefined);
    // All hear the answer as it comes, so all get the same bytes, and each byte is one's last.
    await heard();
    await script(turn, heard);
    for (const stream of await Promise.all(streams)) expect(storyOf(stream)).toEqual(story);
    return readers.every(({ wasCut }) => wasCut);
  }

  /** Until a reader gets the last byte of the last event. */
  async function cutAtEveryByte(play: Parameters<typeof cutFrom>[1]): Promise<void> {
    let begin = 0;
    while (await cutFrom(begin, play)) begin += CUTS_AT_ONCE;
  }

  const overEvents: Transport = {
    begin: (turn, { afterBytes, onEvent }) => {
      const options = { cutAfterBytes: afterBytes, until: isFinal, onEvent };
      return stage.read(`${stage.one}${pathOf(turn)}?cursor=0`, options);
    },
    resume: (turn, rest) =>
      stage.read(`${stage.other}${pathOf(turn)}?cursor=0`, { ...rest, until: isFinal }),
  };

  const overSockets = (relay: string): Transport => ({
    begin: async ({ sessionId }, { afterBytes, onEvent }) => {
      const headers = { ...(await stage.headersOf()), 'x-cut': String(afterBytes) };
      const url = `${relay}/v1/session/${sessionId}/stream?cursor=0`;
      return readSocket(url, { headers, until: isFinal, onEvent });
    },
    resume: async ({ sessionId }, { lastId = '0', onOpen }) => {
      const url = `${stage.other}/v1/session/${sessionId}/stream?cursor=${lastId}`;
      const headers = await stage.headersOf();
      return readSocket(url, { headers, until: isFinal, resumes: true, onOpen });
    },
  });

  const answer = {
    script: async (turn, heard) => {
      await turn.row('assistant.started', { keep: 0 });
      await heard();
      for (const piece of PIECES) {
        await turn.piece(piece);
        await heard();
      }
      await turn.row('assistant.final', { message: TEXT });
    },
    story: [
      ['user.message', 1, 'Hello', ''],
      ['assistant.started', 2, '', ''],
      ['assistant.final', 3, TEXT, TEXT],
    ],
  } satisfies { script: Script; story: unknown[] };

  /** A tool is called, somebody says more, the worker dies, and another one says it otherwise. */
  const eventfulAnswer = {
    script: async (turn, heard) => {
      await turn.row('assistant.started', { keep: 0 });
      await turn.piece(SAID);
      await heard();
      await turn.row('tool.start', { text: SAID });
      await turn.row('tool.result', { role: 'tool' });
      await turn.row('assistant.started', { keep: SAID.length });
      await heard();
      await turn.piece('?');
      await heard();
      await stage.begin(turn.sessionId);
      await turn.row('assistant.started', { keep: SAID.length });
      await heard();
      await turn.piece(MORE, SAID.length);
      await heard();
      await turn.row('assistant.final', { message: TEXT });
    },
    story: [
      ['user.message', 1, 'Hello', ''],
      ['assistant.started', 2, '', ''],
      ['tool.start', 3, '', SAID],
      ['tool.result', 4, '', SAID],
      ['assistant.started', 5, '', SAID],
      // Held back by the open answer until it is withdrawn.
      ['user.message', 6, 'Hello', ''],
      ['assistant.started', 7, '', SAID],
      ['assistant.final', 8, TEXT, TEXT],
    ],
  } satisfies { script: Script; story: unknown[] };

  it(
    'goes on in the other gateway after a cut at any byte (P4)',
    () => cutAtEveryByte({ transport: overEvents, ...answer }),
    LIMIT_MS,
  );

  it(
    'goes on after a cut of a WebSocket at any byte (P4)',
    async () => {
      const relay = running.use(await startCuttingRelay(Number(new URL(stage.one).port)));
      await cutAtEveryByte({ transport: overSockets(relay.url), ...answer });
    },
    LIMIT_MS,
  );

  it(
    'goes on after a cut while a tool is called, more is said and the worker dies (P4)',
    () => cutAtEveryByte({ transport: overEvents, ...eventfulAnswer }),
    LIMIT_MS,
  );
});

/**
 * The rows that a reader got, and with each the text that it had by then. Of text that is withdrawn
 * readers may see more or less, so it stands for nothing.
 */
function storyOf(received: Received[]): [string, number, string, string][] {
  const rows: [string, number, string, string][] = [];
  let text = '';
  for (const { event } of received) {
    if ('from' in event) {
      text += event.from === text.length ? event.message : `[a piece from ${event.from}]`;
      continue;
    }
    if (event.keep !== undefined) text = text.slice(0, event.keep);
    const isOfTurn = event.type !== 'user.message';
    rows.push([event.type, event.seq, event.message, isOfTurn ? text : '']);
  }
  return rows;
}
