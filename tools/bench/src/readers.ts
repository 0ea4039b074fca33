import { type Child, startProgram } from './processes.ts';

/** What the process of the readers is told, in `stream-readers.ts`. It answers each order once. */
export type ReaderOrder =
  | { do: 'open'; port: number; paths: string[]; token: string }
  | { do: 'reset' }
  | { do: 'hear'; events: number }
  | { do: 'close' };

/** Where streams are read. */
export interface StreamAddress {
  url: string;
  /** One for each reader. */
  paths: string[];
  token: string;
}

/** Many readers of event streams. */
export class Readers implements AsyncDisposable {
  readonly #child: Child;

  private constructor(child: Child) {
    this.#child = child;
  }

  static async start(): Promise<Readers> {
    return new Readers(await startProgram('stream-readers.ts'));
  }

  /** Opens streams, and resolves when all are open. */
  async open({ url, paths, token }: StreamAddress): Promise<void> {
    await this.#order({ do: 'open', port: Number(new URL(url).port), paths, token });
  }

  /** How long it takes, in milliseconds, until all readers together have heard so many events. */
  async timeToHear(events: number, publish: () => Promise<unknown>): Promise<number> {
    await this.#order({ do: 'reset' });
    const startedAt = performance.now();
    await Promise.all([this.#order({ do: 'hear', events }), publish()]);
    return performance.now() - startedAt;
  }

  /** Closes all streams. */
  async close(): Promise<void> {
    await this.#order({ do: 'close' });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }

  async #order(order: ReaderOrder): Promise<void> {
    await this.#child.ask(order);
  }
}
