import { setImmediate } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { START } from '@soma/contracts';
import type { Frame } from './frame.ts';
import { SessionStreams } from './session-streams.ts';
import { Subscriber } from './subscriber.ts';

/** Keeps what it is sent. */
class Listener extends Subscriber {
  beats = 0;
  readonly frames: Frame[] = [];
  readonly bufferedBytes = 0;

  constructor(sessionId: string) {
    super({ tenantId: 'acme', sessionId, position: START }, 'sse', 1024);
  }

  override beat(): void {
    this.beats += 1;
  }

  protected override write(frame: Frame): void {
    this.frames.push(frame);
  }

  protected override close(): void {
    // Nothing is behind it.
  }
}

/** Streams of sessions whose timeline is still empty. */
const openStreams = (): SessionStreams =>
  new SessionStreams({ rowsAfter: () => Promise.resolve([]) }, { of: () => Promise.resolve([]) });

const row = (seq: number): object => ({
  ...{ schema: 'conversation.outbound.v1', type: 'user.message', tenant_id: 'acme' },
  ...{ session_id: 's-1', turn_id: null, event_id: `e-${seq}`, seq, cursor: `${seq}.0` },
  ...{ principal: { subject: 'p' }, occurred_at: '2026-01-31T09:30:00.000Z' },
  ...{ persona_id: null, role: 'user', message: 'Hello', metadata: {} },
});

describe('SessionStreams', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  it('shows every stream each 15 s that it is alive', () => {
    jest.useFakeTimers();
    const streams = openStreams();
    streams.onApplicationBootstrap();
    const [one, other] = [new Listener('s-1'), new Listener('s-2')];
    streams.add(one);
    streams.add(other);

    jest.advanceTimersByTime(14_999);
    expect([one.beats, other.beats]).toEqual([0, 0]);
    jest.advanceTimersByTime(15_001);
    expect([one.beats, other.beats]).toEqual([2, 2]);

    streams.remove(one);
    jest.advanceTimersByTime(15_000);
    expect([one.beats, other.beats]).toEqual([2, 3]);
    streams.beforeApplicationShutdown();
  });

  it('serialises an event once for all who listen', async () => {
    const streams = openStreams();
    const listeners = Array.from({ length: 3 }, () => new Listener('s-1'));
    for (const listener of listeners) streams.add(listener);
    await setImmediate();

    for (const seq of [1, 2]) {
      streams.hear(Buffer.from('acme:s-1'), Buffer.from(JSON.stringify(row(seq))), {});
    }

    const [first] = listeners;
    expect(first?.frames).toHaveLength(2);
    for (const { frames } of listeners) {
      frames.forEach((frame, index) => {
        // The very bytes, and not others that say the same.
        expect(frame.eventStream).toBe(first?.frames[index]?.eventStream);
        expect(frame.socketText).toBe(first?.frames[index]?.socketText);
      });
    }
  });
});
