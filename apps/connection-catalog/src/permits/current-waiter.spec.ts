import { once } from 'node:events';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import { leaving } from './current-waiter.decorator.ts';

const newAnswer = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()));
const LEFT = { status: 408, code: 'caller_left' };

describe('leaving', () => {
  it('is seen of one who leaves while an answer is waited for', async () => {
    const answer = newAnswer();
    const signal = leaving(answer);
    expect(signal.aborted).toBe(false);
    answer.destroy();
    await once(answer, 'close');

    expect(signal.reason).toMatchObject(LEFT);
  });

  it('is seen of one who had left before anybody looked', async () => {
    const answer = newAnswer();
    answer.destroy();
    await once(answer, 'close');

    expect(leaving(answer).reason).toMatchObject(LEFT);
  });
});
