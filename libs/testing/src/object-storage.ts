import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { goTool } from './go-tools.ts';
import { expectOk } from './http-probe.ts';
import { housingOf, type ServerHandle, ServerProcess, startServer } from './server-process.ts';

export interface ObjectStorageOptions {
  /** A bucket that is there from the start. */
  bucket: string;
  /** The one account's. */
  accessKeyId: string;
  secretAccessKey: string;
  /** Keeps the objects here. Without it they are thrown away. */
  directory?: string;
  /** Default: one that is free. */
  port?: number;
}

/** A real S3 server on a folder. Disposing of it ends it, and deletes objects that are not kept. */
export interface ObjectStorageServer extends ServerHandle {
  /** As `STORAGE_ENDPOINT` takes it. */
  url: string;
}

/** Starts Versity's S3 gateway in about a quarter of a second; the first time it is built. */
export async function startObjectStorage(
  options: ObjectStorageOptions,
): Promise<ObjectStorageServer> {
  const command = await goTool('versitygw');
  const housing = await housingOf('storage', options);
  const { directory, port } = housing;
  const url = `http://127.0.0.1:${port}`;
  const [objects, metadata] = [join(directory, 'objects'), join(directory, 'metadata')];
  // To this server a bucket is a folder.
  await mkdir(join(objects, options.bucket), { recursive: true });
  await mkdir(metadata, { recursive: true });
  const server = new ServerProcess({
    name: 'S3 storage',
    command,
    // Metadata beside the objects: not every file system takes it as extended attributes.
    args: ['posix', '--sidecar', metadata, objects],
    env: {
      VGW_PORT: `127.0.0.1:${port}`,
      VGW_HEALTH: '/health',
      VGW_QUIET: 'true',
      ROOT_ACCESS_KEY: options.accessKeyId,
      ROOT_SECRET_KEY: options.secretAccessKey,
    },
    logFile: join(directory, 'server.log'),
    stopSignal: 'SIGTERM',
    probe: () => expectOk(`${url}/health`),
  });
  const handle = await startServer(server, housing);
  return Object.assign(handle, { url });
}
