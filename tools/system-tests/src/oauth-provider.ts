import { text } from 'node:stream/consumers';
import { startHttpServer } from '@soma/testing';

/** What a provider gives away to clients. */
export interface ProviderSecrets {
  accessToken: string;
  refreshToken: string;
  deviceCode: string;
}

/** A provider of OAuth 2.1 to which everybody has agreed. */
export interface TestOAuthProvider extends AsyncDisposable {
  url: string;
  /** What it was asked for tokens with. */
  asked: URLSearchParams[];
}

/** Starts a provider with the endpoints `/token` and `/device`; all else is refused. */
export async function startOAuthProvider(secrets: ProviderSecrets): Promise<TestOAuthProvider> {
  const asked: URLSearchParams[] = [];
  const answers: Record<string, () => object> = {
    '/token': () => ({
      access_token: secrets.accessToken,
      refresh_token: secrets.refreshToken,
      ...{ token_type: 'Bearer', expires_in: 3_600 },
    }),
    '/device': () => ({
      device_code: secrets.deviceCode,
      ...{ user_code: 'WDJB-MJHT', verification_uri: 'https://provider.example/device' },
      ...{ expires_in: 600, interval: 1 },
    }),
  };
  const server = await startHttpServer((request, response) => {
    const answer = answers[request.url ?? ''];
    void text(request).then((body) => {
      if (request.url === '/token') asked.push(new URLSearchParams(body));
      response.writeHead(answer ? 200 : 401, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer?.() ?? {}));
    });
  });
  return { url: server.url, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}
