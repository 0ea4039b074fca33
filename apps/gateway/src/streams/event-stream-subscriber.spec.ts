import { describe, expect, it } from '@jest/globals';
import { START } from '@soma/contracts';
import { EventStreamSubscriber } from './event-stream-subscriber.ts';

/** What a reader gets, by and by. */
class Wire {
  written: string[] = [];
  bufferedBytes = 0;

  write(frame: string | Buffer): void {
    this.written.push(String(frame));
  }

  end(): void {
    this.written.push('[end]');
  }

  cut(): void {
    this.written.push('[cut]');
  }
}

describe('EventStreamSubscriber', () => {
  function open(): { wire: Wire; subscriber: EventStreamSubscriber } {
    const wire = new Wire();
    const start = { tenantId: 'acme', sessionId: 's-1', position: START };
    const subscriber = new EventStreamSubscriber(start, wire, 1024);
    wire.written = [];
    return { wire, subscriber };
  }

  it('beats with a comment, which is no event', () => {
    const { wire, subscriber } = open();
    subscriber.beat();
    expect(wire.written).toEqual([':\n\n']);
  });

  it.each([
    { reason: 'restarting' as const, written: ['retry: 1000\n\n', '[end]'] },
    { reason: 'deleted' as const, written: ['[end]'] },
    { reason: 'denied' as const, written: ['[end]'] },
    { reason: 'too_slow' as const, written: ['[cut]'] },
    { reason: 'failed' as const, written: ['[cut]'] },
  ])('ends with $written when it is $reason', ({ reason, written }) => {
    const { wire, subscriber } = open();
    subscriber.end(reason);
    expect(wire.written).toEqual(written);
  });
});
