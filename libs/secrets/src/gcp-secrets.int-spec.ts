import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret, TransientError } from '@soma/kernel';
import { startHttpServer, type HttpServer } from '@soma/testing';
import { GcpSecrets } from './gcp-secrets.ts';
import { describeSecretBackendContract } from './secret-backend.contract.ts';

const TOKEN = 'ya29.of-the-pod';

interface Request {
  method: string;
  /** Below `/v1/projects/soma/secrets`. */
  path: string;
  body: { payload?: { data: string } };
}

/**
 * The other end of the wire: nobody ships an emulator of Secret Manager that could run here, so that
 * these are the few calls of its REST reference that are used, with the answers that it documents.
 */
class FarSide {
  #server: HttpServer | undefined;
  /** By id: the values of its versions, null once destroyed. */
  readonly #secrets = new Map<string, (string | null)[]>();
  readonly requests: Request[] = [];

  async start(): Promise<string> {
    this.#server = await startHttpServer((request, response) => {
      void this.#answer(request).then(([status, body]) => {
        response.writeHead(status, {
          'content-type': 'application/json',
          'metadata-flavor': 'Google',
        });
        response.end(JSON.stringify(body));
      });
    });
    return new URL(this.#server.url).host;
  }

  async stop(): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #answer(request: IncomingMessage): Promise<[number, object]> {
    const url = new URL(request.url ?? '', 'http://localhost');
    if (url.pathname.startsWith('/computeMetadata/')) return [200, metadata(url.pathname)];
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return failure(401, 'UNAUTHENTICATED');
    const body = (await text(request)) || '{}';
    const path = url.pathname.replace('/v1/projects/soma/secrets', '');
    const asked = { method: request.method ?? '', path, body: JSON.parse(body) as Request['body'] };
    this.requests.push(asked);
    return path === '' ? this.#create(url.searchParams.get('secretId') ?? '') : this.#act(asked);
  }

  #create(id: string): [number, object] {
    if (!/^[\w-]{1,255}$/.test(id)) return failure(400, 'INVALID_ARGUMENT');
    if (this.#secrets.has(id)) return failure(409, 'ALREADY_EXISTS');
    this.#secrets.set(id, []);
    return [200, { name: id }];
  }

  #act({ method, path, body }: Request): [number, object] {
    const [, id = '', version, verb] = VERB_OF_PATH.exec(path) ?? [];
    const versions = this.#secrets.get(id);
    if (versions === undefined) return failure(404, 'NOT_FOUND');
    if (method === 'DELETE') return [200, { wasThere: this.#secrets.delete(id) }];
    if (version !== undefined) return actOnVersion(versions, version, verb);
    const count = versions.push(body.payload?.data ?? '');
    return [200, { name: `projects/1/secrets/${id}/versions/${count}`, state: 'ENABLED' }];
  }
}

const VERB_OF_PATH = /^\/([\w-]+)(?:\/versions\/(\w+))?(?::(\w+))?$/;

function actOnVersion(
  versions: (string | null)[],
  version: string,
  verb: string | undefined,
): [number, object] {
  const index = version === 'latest' ? versions.length - 1 : Number(version) - 1;
  const data = versions[index];
  if (data === undefined) return failure(404, 'NOT_FOUND');
  if (data === null) return failure(400, 'FAILED_PRECONDITION');
  if (verb === 'destroy') versions[index] = null;
  return [200, { payload: { data } }];
}

/** As a pod's metadata server gives it. */
function metadata(path: string): object {
  return path.endsWith('/token')
    ? { access_token: TOKEN, expires_in: 3600, token_type: 'Bearer' }
    : {};
}

function failure(code: number, status: string): [number, object] {
  return [code, { error: { code, status, message: 'It is so.' } }];
}

describe('GcpSecrets', () => {
  const farSide = new FarSide();
  const location = { tenantId: 'acme.eu', connection: 'c1', field: 'token' };
  let endpoint: string;

  beforeAll(async () => {
    const host = await farSide.start();
    endpoint = `http://${host}`;
    // The library's own variable: where a pod's metadata server is.
    process.env['GCE_METADATA_HOST'] = host;
    process.env['METADATA_SERVER_DETECTION'] = 'assume-present';
  });
  afterAll(async () => {
    delete process.env['GCE_METADATA_HOST'];
    delete process.env['METADATA_SERVER_DETECTION'];
    await farSide.stop();
  });

  describeSecretBackendContract(() => new GcpSecrets({ projectId: 'soma', endpoint }));

  it('destroys the versions that are too old', async () => {
    const backend = new GcpSecrets({ projectId: 'soma', endpoint });
    for (let count = 1; count <= 12; count += 1) {
      await backend.write(location, new Secret(`value ${count}`));
    }

    expect(await backend.read(location, 2)).toBeUndefined();
    expect((await backend.read(location, 3))?.reveal()).toBe('value 3');
  });

  it('tells that nobody answers, and no secret (P8)', async () => {
    const backend = new GcpSecrets({ projectId: 'soma', endpoint: 'http://127.0.0.1:1' });
    const fault: unknown = await backend
      .write(location, new Secret('canary'))
      .catch((error: unknown) => error);

    expect(fault).toBeInstanceOf(TransientError);
    expect(`${String(fault)} ${String((fault as Error).cause)}`).not.toMatch(/canary|ya29/);
  });
});
