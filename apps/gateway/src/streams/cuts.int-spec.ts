import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { SessionEvent } from '@soma/contracts';
import { until } from '@soma/testing';
import { outline, readSocket, type Received, startCuttingRelay } from './spec-support.ts';
import {
  isFinal,
  pathOf,
  PIECES,
  type ScriptedTurn,
  Stage,
  TEXT,
  WHOLE,
} from './stage/spec-support.ts';

/** The message that opens the turn, and what frames have besides their envelopes, at most. */
const MESSAGE_BYTES = 1000;
const CUTS_AT_ONCE = 200;
/** The framing has been cut at every byte by then; here the steps are. */
const STEP_CUT_BYTES = 37;
const LIMIT_MS = 240_000;

const endsText = (event: SessionEvent): boolean => 'to' in event && event.to === TEXT.length;

/** Reads an open answer up to a cut, and what follows somewhere else. */
type ReadWithCut = (cut: { afterBytes: number; onResumed: () => void }) => Promise<Received[]>;

describe('streams that are cut', () => {
  const running = new AsyncDisposableStack();
  let stage: Stage;

  beforeAll(async () => {
    stage = await Stage.open(running);
  });

  // Also when the set-up fails half-way: a server left behind would keep the test run from ending.
  afterAll(() => running.disposeAsync());

  /** Cuts a stream of the answer at each of these places; then the answer ends. */
  async function cutAt(
    places: readonly number[],
    { turn, read, whole }: { turn: ScriptedTurn; read: ReadWithCut; whole: unknown[] },
  ): Promise<void> {
    let resumed = 0;
    const onResumed = (): void => void (resumed += 1);
    const streams = places.map((afterBytes) => read({ afterBytes, onResumed }));
    // Every stream has been cut and goes on elsewhere, in the middle of the answer.
    await until(() => resumed === places.length);
    await turn.row('assistant.final', { message: TEXT });
    for (const stream of await Promise.all(streams)) expect(outline(stream)).toEqual(whole);
  }

  async function cutAtEveryByte(readOf: (turn: ScriptedTurn) => ReadWithCut): Promise<void> {
    const length = (await stage.openAnswer()).writtenBytes + MESSAGE_BYTES;
    for (let begin = 0; begin <= length; begin += CUTS_AT_ONCE) {
      const turn = await stage.openAnswer();
      const places = Array.from({ length: CUTS_AT_ONCE }, (_, index) => begin + index);
      await cutAt(places, { turn, read: readOf(turn), whole: WHOLE });
    }
  }

  const overEvents =
    (turn: ScriptedTurn): ReadWithCut =>
    async ({ afterBytes, onResumed }) => {
      const path = `${pathOf(turn)}?cursor=0`;
      const options = { cutAfterBytes: afterBytes, until: endsText };
      const before = await stage.read(stage.one + path, options);
      const lastId = before.at(-1)?.id;
      const rest = { lastId, until: isFinal, onOpen: onResumed };
      return [...before, ...(await stage.read(stage.other + path, rest))];
    };

  const overSockets =
    (relay: string) =>
    (turn: ScriptedTurn): ReadWithCut =>
    async ({ afterBytes, onResumed }) => {
      const path = `/v1/session/${turn.sessionId}/stream?cursor=`;
      const headers = { ...(await stage.headersOf()), 'x-cut': String(afterBytes) };
      const before = await readSocket(`${relay}${path}0`, { headers, until: endsText });
      const cursor = before.at(-1)?.id ?? '0';
      const rest = { headers, until: isFinal, resumes: true, onOpen: onResumed };
      return [...before, ...(await readSocket(`${stage.other}${path}${cursor}`, rest))];
    };

  it(
    'goes on in the other gateway after a cut at any byte (P4)',
    () => cutAtEveryByte(overEvents),
    LIMIT_MS,
  );

  it(
    'goes on after a cut of a WebSocket at any byte (P4)',
    async () => {
      const relay = running.use(await startCuttingRelay(Number(new URL(stage.one).port)));
      await cutAtEveryByte(overSockets(relay.url));
    },
    LIMIT_MS,
  );

  it(
    'goes on after a cut of a turn that called a tool (P4)',
    async () => {
      const [said = '', ...more] = PIECES;
      const turn = await stage.begin();
      await turn.row('assistant.started', { keep: 0 });
      await turn.piece(said);
      await turn.row('tool.start', { text: said });
      await turn.row('tool.result', { role: 'tool' });
      await turn.row('assistant.started', { keep: said.length });
      for (const piece of more) await turn.piece(piece);
      const whole = [
        ...[WHOLE[0], WHOLE[1], ['assistant.delta', 2, said]],
        ...[
          ['tool.start', 3, ''],
          ['tool.result', 4, ''],
          ['assistant.started', 5, ''],
        ],
        ...[
          ['assistant.delta', 5, more.join('')],
          ['assistant.final', 6, TEXT],
        ],
      ];
      const count = Math.ceil((turn.writtenBytes + MESSAGE_BYTES) / STEP_CUT_BYTES);
      const places = Array.from({ length: count }, (_, index) => index * STEP_CUT_BYTES);
      await cutAt(places, { turn, read: overEvents(turn), whole });
    },
    LIMIT_MS,
  );
});
