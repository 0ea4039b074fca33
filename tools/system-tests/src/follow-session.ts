import type { RowEvent, SessionEvent } from '@soma/contracts';
import { openEventStream } from '@soma/testing';
import { type Client, ENDS, until } from './client.ts';
import type { Pod } from './system.ts';

/**
 * Follows a session as a person's page does: it reads from one gateway until the connection breaks,
 * and goes on at another with the last cursor that it saw.
 *
 * @returns The rows in the order of their arrival.
 * @throws When the text that was streamed is not the answer.
 */
export async function followSession(
  client: Client,
  pods: readonly Pod[],
  { id, turns }: { id: string; turns: number },
): Promise<RowEvent[]> {
  const rows: RowEvent[] = [];
  let cursor = '0';
  let text = '';
  let left = turns;
  const read = async (pod: Pod): Promise<void> => {
    const stream = await openEventStream(`${pod.url}/v1/session/${id}/events`, {
      headers: { ...client.headers, 'last-event-id': cursor },
    });
    for await (const frame of stream) {
      const event = JSON.parse(frame.data) as SessionEvent;
      cursor = frame.id ?? cursor;
      if ('from' in event) {
        if (event.type === 'assistant.delta') text += event.message;
      } else {
        rows.push(event);
        if (event.type === 'assistant.started') text = text.slice(0, event.keep);
        if (event.type === 'assistant.final') {
          if (text !== event.message)
            throw new Error(`Streamed "${text}", not "${event.message}".`);
          text = '';
        }
        if (ENDS.has(event.type) && --left === 0) return;
      }
    }
  };
  let tries = 0;
  await until(async () => {
    const pod = pods[tries++ % pods.length];
    if (pod === undefined) throw new Error('There is no gateway.');
    await read(pod).catch((error: unknown) => {
      if (error instanceof Error && error.message.startsWith('Streamed')) throw error;
    });
    return left === 0;
  }, 240_000);
  return rows;
}
