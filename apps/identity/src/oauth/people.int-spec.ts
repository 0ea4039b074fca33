import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import * as openid from 'openid-client';
import { Browser, claimsOf, Deployment, ISSUER, REDIRECT_URI } from './spec-support.ts';

describe('a sign-in', () => {
  const running = new AsyncDisposableStack();
  let deployment: Deployment;
  let pod: string;
  let client: openid.Configuration;

  beforeAll(async () => {
    deployment = running.use(await Deployment.start());
    pod = await (await deployment.startPod()).getUrl();
    client = await openid.discovery(new URL(ISSUER), 'ui', undefined, openid.None(), {
      [openid.customFetch]: atPod,
    });
  });
  afterAll(() => running.disposeAsync());

  /** The issuer's address is one of the deployment; here a pod is asked directly. */
  function atPod(address: string, init: object): Promise<Response> {
    const { pathname, search } = new URL(address);
    return fetch(new URL(pathname + search, pod), init);
  }

  interface SignIn {
    parameters?: Record<string, string>;
    browser?: Browser;
  }

  async function signIn(
    userId: string,
    { parameters = {}, browser = new Browser(pod) }: SignIn = {},
  ): Promise<openid.TokenEndpointResponse & openid.TokenEndpointResponseHelpers> {
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const nonce = openid.randomNonce();
    const begin = openid.buildAuthorizationUrl(client, {
      redirect_uri: REDIRECT_URI,
      scope: 'openid email sessions:read sessions:write members:write',
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      ...parameters,
    });
    const end = await browser.signIn(begin, userId);
    return openid.authorizationCodeGrant(client, end, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      expectedNonce: nonce,
    });
  }

  it('gives a token of the person in their tenant, for what their role may do', async () => {
    const ann = await deployment.addPerson({ acme: 'member' });

    const tokens = await signIn(ann);

    expect(claimsOf(tokens.access_token)).toMatchObject({
      iss: ISSUER,
      aud: 'gateway',
      sub: ann,
      tenant: 'acme',
      role: 'member',
      scope: 'sessions:read sessions:write',
      amr: ['fed', 'otp'],
      acr: 'two-factors',
      auth_time: expect.any(Number),
      jti: expect.any(String),
    });
    expect(tokens.expires_in).toBe(900);
    expect(tokens.claims()).toMatchObject({ sub: ann, email: `${ann}@example.com` });
  });
});
