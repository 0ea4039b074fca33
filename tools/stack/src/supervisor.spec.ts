import { describe, expect, it } from '@jest/globals';
import { until } from '@soma/testing';
import { type Supervised, Supervisor } from './supervisor.ts';

/** A process that lives as long as the test lets it. */
class PretendProcess implements Supervised {
  starts = 0;
  failuresLeft = 0;
  #ended = Promise.withResolvers<string>();

  get pid(): number {
    return this.starts;
  }

  start(): Promise<void> {
    if (this.failuresLeft-- > 0) return Promise.reject(new Error('port taken'));
    this.starts += 1;
    this.#ended = Promise.withResolvers();
    return Promise.resolve();
  }

  stop(): Promise<void> {
    this.die('SIGTERM');
    return Promise.resolve();
  }

  exited(): Promise<string> {
    return this.#ended.promise;
  }

  die(how: string): void {
    this.#ended.resolve(how);
  }
}

async function supervised(): Promise<[PretendProcess, Supervisor, string[]]> {
  const lines: string[] = [];
  const process = new PretendProcess();
  await process.start();
  return [process, new Supervisor('gateway', process, (line) => lines.push(line)), lines];
}

describe('Supervisor', () => {
  it('names a process that dies and starts it again', async () => {
    const [process, supervisor, lines] = await supervised();
    supervisor.watch();
    process.die('SIGKILL');
    await until(() => process.starts === 2);
    expect(lines[0]).toBe('gateway ended (SIGKILL). It is started again in 0.5 s.');
    await supervisor.stop();
  });

  it('waits longer after each death', async () => {
    const [process, supervisor, lines] = await supervised();
    supervisor.watch();
    process.die('exit code 1');
    await until(() => process.starts === 2);
    process.die('exit code 1');
    await until(() => lines.length === 3);
    expect(lines[2]).toContain('in 1 s');
    await supervisor.stop();
  });

  it('tries on when a start fails, and says why', async () => {
    const [process, supervisor, lines] = await supervised();
    process.failuresLeft = 1;
    supervisor.watch();
    process.die('exit code 1');
    await until(() => process.starts === 2);
    expect(lines).toContain('port taken');
    await supervisor.stop();
  });

  it('leaves a process that it stopped down, until it takes it back', async () => {
    const [process, supervisor, lines] = await supervised();
    supervisor.watch();
    await supervisor.stop();
    expect(process.starts).toBe(1);
    expect(lines).toEqual([]);
    supervisor.takeBack();
    await until(() => process.starts === 2);
    await supervisor.stop();
  });
});
