import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RowEvent } from '@soma/contracts';
import { Client, textOf, until } from './client.ts';
import { startSystem, type System } from './system.ts';

/** What the model server does with a message, call by call. */
const attempts = (...scripts: object[][]) => `!attempts ${JSON.stringify(scripts)}`;
const script = (...steps: object[]) => `!script ${JSON.stringify(steps)}`;

function typesOf(events: readonly { type: string }[]): string[] {
  return events.map(({ type }) => type);
}

describe('promises under faults', () => {
  const running = new AsyncDisposableStack();
  let system: System;
  let client: Client;

  beforeAll(async () => {
    system = await startSystem(running, { gateways: 2, workers: 2 });
    client = new Client(await system.tokenFor());
  }, 60_000);

  afterAll(() => running.disposeAsync());

  const gateway = () => system.gateways[0]!;

  it('answers', async () => {
    const sessionId = randomUUID();
    const { cursor } = await client.say(system.gateways, 'hello there', sessionId);

    const seen = await client.read(gateway(), sessionId, { cursor });

    expect(textOf(seen.map(({ event }) => event))).toBe('You said: hello there');
  });
});
