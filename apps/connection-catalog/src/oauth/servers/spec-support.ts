import { startHttpServer } from '@soma/testing';
import { randomUUID } from 'node:crypto';
import { text } from 'node:stream/consumers';

/** A server of a test. */
export interface TestServer extends AsyncDisposable {
  url: string;
}

interface ServerAnswer {
  status: number;
  type: string;
  body: string;
  headers?: Record<string, string>;
}

/** A server that answers by the path and the body of requests. */
export function startServer(
  answer: (path: string, body: string) => ServerAnswer | Promise<ServerAnswer>,
): Promise<TestServer> {
  return startHttpServer((request, response) => {
    void text(request).then(async (sent) => {
      const { status, type, body, headers } = await answer(request.url ?? '/', sent);
      response.writeHead(status, { ...headers, 'content-type': type }).end(body);
    });
  });
}

/** GitHub on the wire: forms for who does not insist, and faults with status 200. */
export function startFormProvider(): Promise<TestServer> {
  return startServer((_path, sent) => {
    const isGood = new URLSearchParams(sent).get('code') === 'good';
    const tokens = { access_token: 'gho_1', scope: 'repo,gist', token_type: 'bearer' };
    const fault = { error: 'bad_verification_code', error_description: 'The code is incorrect.' };
    return {
      ...{ status: 200, type: 'application/x-www-form-urlencoded; charset=utf-8' },
      body: new URLSearchParams(isGood ? tokens : fault).toString(),
    };
  });
}

/** A token endpoint that gives every client a token, until it is told to answer otherwise. */
export interface TokenEndpoint extends TestServer {
  asked: number;
  /** What it was sent, at any path. */
  sent: string[];
  answer: { status: number; headers?: Record<string, string>; error?: string } | undefined;
  /** The tokens, in their order. */
  given: string[];
  /** Those that were revoked at `/revoke`, which answers when it may. */
  revoked: string[];
  mayRevoke: Promise<unknown>;
}

export async function startTokenEndpoint(): Promise<TokenEndpoint> {
  const server = await startServer(async (path, sent) => {
    endpoint.sent.push(sent);
    if (path === '/revoke') {
      endpoint.revoked.push(new URLSearchParams(sent).get('token') ?? '');
      await endpoint.mayRevoke;
      return { status: 200, type: 'text/plain', body: '' };
    }
    endpoint.asked++;
    const { status, headers = {}, error } = endpoint.answer ?? { status: 200 };
    const tokens = { access_token: randomUUID(), token_type: 'bearer', expires_in: 3600 };
    endpoint.given.push(tokens.access_token);
    const body = JSON.stringify(error === undefined ? tokens : { error });
    return { status, headers, type: 'application/json', body };
  });
  const own = {
    ...{ asked: 0, sent: [], answer: undefined, given: [], revoked: [] },
    mayRevoke: Promise.resolve(),
  };
  const endpoint: TokenEndpoint = Object.assign(server, own);
  return endpoint;
}

/** An MCP server at `/mcp` that lets nobody in, and says whom it trusts (RFC 9728). */
export async function startGuardedServer(
  issuer: string,
  { resource }: { resource?: string } = {},
): Promise<TestServer> {
  const server: TestServer = await startServer((path) => {
    const own = resource ?? `${server.url}/mcp`;
    return path === '/.well-known/oauth-protected-resource/mcp'
      ? {
          ...{ status: 200, type: 'application/json' },
          body: JSON.stringify({
            ...{ resource: own, authorization_servers: [issuer], scopes_supported: ['mail'] },
          }),
        }
      : { status: path === '/mcp' ? 401 : 404, type: 'text/plain', body: '' };
  });
  return { ...server, url: `${server.url}/mcp` };
}
