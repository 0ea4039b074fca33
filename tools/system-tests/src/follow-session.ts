import type { RowEvent, SessionEvent } from '@soma/contracts';
import { openEventStream, until } from '@soma/testing';
import { type Client, ENDS } from './client.ts';
import type { Pod } from './system.ts';

const FOLLOW_MS = 600_000;

/** What a person's page has before it: the rows, the text, and where to read on. */
class Page {
  readonly rows: RowEvent[] = [];
  cursor = '0';
  #text = '';
  #turns: number;

  constructor(turns: number) {
    this.#turns = turns;
  }

  get isComplete(): boolean {
    return this.#turns === 0;
  }

  /** @throws {@link WrongText} when the text that was streamed is not the answer. */
  show(event: SessionEvent): void {
    if ('from' in event) {
      if (event.type === 'assistant.delta') this.#text += event.message;
      return;
    }
    this.rows.push(event);
    if (event.type === 'assistant.started') this.#text = this.#text.slice(0, event.keep);
    if (event.type === 'assistant.final') this.#check(event.message);
    if (ENDS.has(event.type)) this.#turns--;
  }

  #check(answer: string): void {
    if (this.#text !== answer) throw new WrongText(`Streamed "${this.#text}", not "${answer}".`);
    this.#text = '';
  }
}

class WrongText extends Error {}

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
  const page = new Page(turns);
  let tries = 0;
  await until(async () => {
    const pod = pods[tries++ % pods.length];
    if (pod === undefined) throw new Error('There is no gateway.');
    await read(page, `${pod.url}/v1/session/${id}/events`, client.headers).catch(ignoreCut);
    return page.isComplete;
  }, FOLLOW_MS);
  return page.rows;
}

async function read(page: Page, url: string, headers: Record<string, string>): Promise<void> {
  const stream = await openEventStream(url, {
    headers: { ...headers, 'last-event-id': page.cursor },
  });
  for await (const frame of stream) {
    page.show(JSON.parse(frame.data) as SessionEvent);
    page.cursor = frame.id ?? page.cursor;
    if (page.isComplete) return;
  }
}

function ignoreCut(error: unknown): void {
  if (error instanceof WrongText) throw error;
}
