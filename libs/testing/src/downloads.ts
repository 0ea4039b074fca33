import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { cacheDirectory } from './cache-directory.ts';
import { missingForKafka } from './java.ts';

const run = promisify(execFile);

const KAFKA = '4.1.0';
/** A jar that carries a static redis-server for each platform. */
const REDIS = '0.9.1';
const REDIS_SERVER = '7.0.15';

const serversFolder = join(cacheDirectory, `servers-kafka-${KAFKA}-redis-${REDIS}`);

/** Where the servers that Maven Central offers were put. */
export interface ServerDownloads {
  /** Folder of Kafka's jars. */
  kafkaJars: string;
  /** The redis-server of this machine's platform. */
  redisServer: string;
}

/**
 * Downloads Kafka and Redis once into the home folder.
 *
 * Several processes may do so at once: each downloads into a folder of its own and renames it when it
 * is complete, so that whoever finds the final folder finds all of it.
 */
export async function downloadServers(): Promise<ServerDownloads> {
  if (!existsSync(serversFolder)) {
    await mkdir(cacheDirectory, { recursive: true });
    const partial = await mkdtemp(`${serversFolder}.`);
    await downloadTo(partial);
    // Fails when another process was first: then its folder serves.
    await rename(partial, serversFolder).catch(() => rm(partial, { recursive: true, force: true }));
  }
  return { kafkaJars: serversFolder, redisServer: await redisServerIn(serversFolder) };
}

/**
 * Maven is needed for the first download alone.
 *
 * @throws With one sentence that says what to install.
 */
export async function requireJava(): Promise<void> {
  const [version, maven] = await Promise.all([
    versionOf('java'),
    existsSync(serversFolder) ? 'not needed' : versionOf('mvn'),
  ]);
  const missing = missingForKafka({ version, maven: maven !== undefined });
  if (missing !== undefined) throw new Error(missing);
}

/** What a program says of itself, which Java writes to its errors; `undefined` where it is not there. */
async function versionOf(program: string): Promise<string | undefined> {
  return run(program, ['-version']).then(
    ({ stdout, stderr }) => stdout + stderr,
    () => undefined,
  );
}

async function downloadTo(folder: string): Promise<void> {
  await requireJava();
  const pom = join(folder, 'pom.xml');
  await writeFile(pom, POM);
  const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1';
  const goals = [`${plugin}:copy-dependencies`, `${plugin}:unpack-dependencies`];
  const options = [`-DoutputDirectory=${folder}`, '-Dmdep.unpack.includes=redis-server-*'];
  await run('mvn', ['-q', '-B', '-f', pom, ...goals, ...options]);
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>soma</groupId><artifactId>servers</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA}</version></dependency>
    <dependency><groupId>org.signal</groupId><artifactId>embedded-redis</artifactId><version>${REDIS}</version></dependency>
  </dependencies>
</project>
`;

/** Another platform uses the redis-server on its path. */
async function redisServerIn(folder: string): Promise<string> {
  const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
  const name = `redis-server-${REDIS_SERVER}-${process.platform}-${architecture}`;
  const files = await readdir(folder);
  if (!files.includes(name)) return 'redis-server';
  await chmod(join(folder, name), 0o755);
  return join(folder, name);
}
