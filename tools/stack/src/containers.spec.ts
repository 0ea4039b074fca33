import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { workspace } from './paths.ts';

const COMPOSE = `compose --file ${join(workspace, 'infra/compose/compose.yaml')}`;
const ALL = 'postgres redis kafka';

/** What a stack does of itself: it starts what it needs, and ends with an error or without. */
const LIFE = `
  import { Servers } from './tools/stack/src/servers.ts';
  import { PortChooser } from './tools/stack/src/ports.ts';
  const servers = new Servers(process.env, new PortChooser(() => undefined));
  try {
    await servers.prepare();
    await servers.startPostgres('unused');
    console.log(JSON.stringify({ urls: servers.urls, listed: Object.fromEntries(servers.listed) }));
  } finally {
    await servers.stop();
  }
`;

interface Life {
  urls: Record<string, string>;
  listed: Record<string, object>;
}

describe('servers in containers', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'soma-containers-'));
    await engine('');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('start where there is no Java, and are stopped with the stack', async () => {
    const { urls, listed } = await live();
    expect(await asked()).toEqual([
      `${COMPOSE} up --detach --wait ${ALL}`,
      `${COMPOSE} stop ${ALL}`,
    ]);
    expect(urls['kafkaBrokers']).toBe('127.0.0.1:9092');
    expect(listed).toEqual({
      postgres: { port: 5432, container: 'soma-postgres-1' },
      redis: { port: 6379, container: 'soma-redis-1' },
      kafka: { port: 9092, container: 'soma-kafka-1' },
    });
  });

  it('are only those that the environment does not name', async () => {
    const { urls } = await live({ REDIS_URL: 'redis://elsewhere' });
    expect(urls['redisUrl']).toBe('redis://elsewhere');
    expect((await asked())[0]).toBe(`${COMPOSE} up --detach --wait postgres kafka`);
  });

  it('are stopped too when they do not all come up', async () => {
    await engine('test "$4" != up');
    await expect(live()).rejects.toThrow('up --detach');
    expect((await asked()).at(-1)).toBe(`${COMPOSE} stop ${ALL}`);
  });

  it('show what they print, and lose their data by one reset', async () => {
    await expect(stack('logs', 'kafka')).rejects.toThrow('There is no such log.');
    await live();
    await asked();
    await stack('logs', 'kafka');
    expect(await asked()).toEqual([`${COMPOSE} logs --follow --tail 50 kafka`]);
    await stack('reset');
    expect(await asked()).toEqual([`${COMPOSE} --profile full down --volumes`]);
    await stack('reset');
    expect(await asked()).toEqual([]);
  });

  it('stand in for a Java that is too old; without them it is named', async () => {
    await program('java', 'echo \'openjdk version "11.0.21" 2023-10-17\' >&2');
    await live();
    expect(await asked()).toHaveLength(2);
    await engine('exit 1');
    await expect(live()).rejects.toThrow('Java 17 or newer (here is 11)');
  });

  /** A program that does what the test says. */
  async function program(name: string, script: string): Promise<void> {
    await writeFile(join(directory, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(directory, name), 0o755);
  }

  /** An engine that only writes down what it is asked for. */
  function engine(further: string): Promise<void> {
    return program('docker', `echo "$*" >> ${join(directory, 'calls')}\n${further}`);
  }

  /** What the engine was asked for since the last time. */
  async function asked(): Promise<string[]> {
    const calls = join(directory, 'calls');
    const lines = await readFile(calls, 'utf8').catch(() => '');
    await rm(calls, { force: true });
    return lines.split('\n').filter((line) => line !== '' && line !== 'info');
  }

  async function live(environment: NodeJS.ProcessEnv = {}): Promise<Life> {
    const printed = await node(['--input-type=module', '--eval', LIFE], environment);
    return JSON.parse(printed) as Life;
  }

  function stack(...command: string[]): Promise<string> {
    return node(['tools/stack/src/main.ts', ...command]);
  }

  /** Where there are no programs but the test's: no Java, above all. */
  async function node(args: string[], environment: NodeJS.ProcessEnv = {}): Promise<string> {
    const { HOME, XDG_CACHE_HOME } = process.env;
    const caches = { HOME, XDG_CACHE_HOME };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@soma/source', ...args],
      {
        cwd: workspace,
        env: { ...caches, PATH: directory, SOMA_DIRECTORY: directory, ...environment },
      },
    );
    return stdout;
  }
});
