import { once } from 'node:events';
import { type IncomingMessage, request, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { onPath, ownCertificate, until } from '@soma/testing';
import { IdentityDeployment, ISSUER, REDIRECT_URI } from '../../people/spec-support.ts';
import { newSomebody, ProviderServers } from '../providers/spec-support.ts';
import { Chromium } from './spec-support.ts';

const chromium = onPath('chromium');
const describeBrowser = chromium === undefined ? describe.skip : describe;

/** What a callback came with. */
interface Callback {
  path: string;
  method: string | undefined;
  hasState: boolean;
  status: number | undefined;
}

describeBrowser('sign-in with a real browser, where `chromium` is on the PATH', () => {
  const running = new AsyncDisposableStack();
  const callbacks: Callback[] = [];
  let hosts: Record<string, string>;

  beforeAll(async () => {
    const deployment = running.use(await IdentityDeployment.start());
    const providers = running.use(await new ProviderServers(ISSUER).start());
    const pod = await deployment.startPod(providers.settings, providers.endpoints);
    const { email } = await deployment.addPerson('member');
    providers.somebody = newSomebody({ email });
    const port = await serveByTls(pod.url);
    hosts = { 'id.example.com:443': `127.0.0.1:${port}`, 'app.example.com': '127.0.0.1:1' };
  });
  afterAll(() => running.disposeAsync());

  /** As in the world: identity is reached by https, whose cookies are `Secure`. */
  async function serveByTls(pod: string): Promise<number> {
    const { pfx, passphrase } = await ownCertificate(new URL(ISSUER).hostname);
    const server = createServer({ pfx, passphrase }, (incoming, outgoing) => {
      forward(pod, incoming, outgoing);
    });
    running.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as AddressInfo).port;
  }

  function forward(pod: string, incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { method, headers, url = '/' } = incoming;
    const forwarded = request(new URL(url, pod), { method, headers }, (answer) => {
      const { pathname: path } = new URL(url, ISSUER);
      const hasState = headers.cookie?.includes('oauthState=') === true;
      if (path.endsWith('/callback')) {
        callbacks.push({ path, method, hasState, status: answer.statusCode });
      }
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(forwarded);
  }

  function authorization(): URL {
    const url = new URL('/oauth/authorize', ISSUER);
    url.search = new URLSearchParams({
      ...{ client_id: 'ui', redirect_uri: REDIRECT_URI, response_type: 'code' },
      ...{ scope: 'openid sessions:read', state: 'of-the-client' },
      // RFC 7636, appendix B.
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    }).toString();
    return url;
  }

  it.each([
    ['apple', 'POST'],
    ['google', 'GET'],
  ])('has its state with it when %s sends it back by %s', async (provider, method) => {
    const browser = await Chromium.start(chromium ?? '', hosts, running);
    await browser.visit(authorization());
    await browser.click(`a[href$="/with/${provider}"]`);

    const path = `/api/auth/oauth/${provider}/callback`;
    const callback = await until(() => callbacks.find((each) => each.path === path));
    expect(callback).toEqual({ path, method, hasState: true, status: 303 });
  });
});
