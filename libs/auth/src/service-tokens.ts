import type { Principal } from '@soma/contracts';
import { abortAfter, newIdentifier, Secret, TransientError } from '@soma/kernel';
import { SignJWT } from 'jose';
import { z } from 'zod';
import {
  ALGORITHM,
  createProofKey,
  PRINCIPAL_HEADER,
  type ProofKey,
  signPrincipal,
} from './principal-assertion.ts';

const TIMEOUT_MS = 5_000;
/** A token is renewed once this part of its life is over; the rest bridges a failing identity. */
const RENEW_AFTER = 0.8;

const tokenResponse = z.object({
  access_token: z.string(),
  expires_in: z.number().positive(),
});

/** As which client a service asks identity for its tokens. */
export interface ServiceTokensOptions {
  /** The token endpoint, at the address at which identity itself is reached. */
  tokenUrl: string;
  clientId: string;
  clientSecret: Secret;
}

interface ServiceToken {
  token: Secret;
  renewAt: number;
  expiresAt: number;
}

/** What a service shows to the services that it calls. */
export class ServiceTokens {
  private readonly proofKey: Promise<ProofKey> = createProofKey();
  private readonly tokens = new Map<string, ServiceToken>();
  private readonly renewals = new Map<string, Promise<ServiceToken>>();

  constructor(private readonly options: ServiceTokensOptions) {}

  /**
   * A token that is meant for one service, from memory where there is one.
   *
   * @throws {@link TransientError} when there is none, and identity does not give one.
   */
  async tokenFor(audience: string): Promise<Secret> {
    const held = this.tokens.get(audience);
    if (held !== undefined && Date.now() < held.renewAt) {
      return held.token;
    }
    try {
      return (await this.renew(audience)).token;
    } catch (error) {
      if (held !== undefined && Date.now() < held.expiresAt) {
        return held.token;
      }
      throw error;
    }
  }

  /** The header by which a request to one service says on whose behalf it is made. */
  async principalHeader(audience: string, principal: Principal): Promise<Record<string, string>> {
    return { [PRINCIPAL_HEADER]: await signPrincipal(await this.proofKey, audience, principal) };
  }

  /** Asks once, however many requests wait for the answer. */
  private renew(audience: string): Promise<ServiceToken> {
    const renewal =
      this.renewals.get(audience) ??
      this.obtain(audience).finally(() => this.renewals.delete(audience));
    this.renewals.set(audience, renewal);
    return renewal;
  }

  private async obtain(audience: string): Promise<ServiceToken> {
    const askedAt = Date.now();
    const response = await this.ask(audience);
    if (!response.ok) {
      await response.body?.cancel();
      throw refusal(audience, response.status);
    }
    const { access_token, expires_in } = tokenResponse.parse(await response.json());
    const lifetimeMs = expires_in * 1000;
    const obtained = {
      token: new Secret(access_token),
      renewAt: askedAt + lifetimeMs * RENEW_AFTER,
      expiresAt: askedAt + lifetimeMs,
    };
    this.tokens.set(audience, obtained);
    return obtained;
  }

  private async ask(audience: string): Promise<Response> {
    const { tokenUrl, clientId, clientSecret } = this.options;
    const credentials = [clientId, clientSecret.reveal()].map(encodeURIComponent).join(':');
    const request = {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(credentials).toString('base64')}`,
        dpop: await this.proofOfKey(),
      },
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        resource: `urn:soma:${audience}`,
      }),
      // A redirect would carry the secret to somebody else.
      redirect: 'error' as const,
      signal: abortAfter(TIMEOUT_MS),
    };
    return fetch(tokenUrl, request).catch((cause: unknown) => {
      throw new TransientError(triedFor(audience), { cause });
    });
  }

  /** RFC 9449 §4.2: it makes identity name the key in the token. */
  private async proofOfKey(): Promise<string> {
    const { privateKey, publicJwk } = await this.proofKey;
    return new SignJWT({ htm: 'POST', htu: this.options.tokenUrl })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'dpop+jwt', jwk: publicJwk })
      .setIssuedAt()
      .setJti(newIdentifier())
      .sign(privateKey);
  }
}

/** A wrong secret or audience is a fault of the configuration: trying again does not help. */
function refusal(audience: string, status: number): Error {
  const cause = new Error(`Identity answered ${status} to a request for a service token.`);
  return status === 429 || status >= 500
    ? new TransientError(triedFor(audience), { cause })
    : cause;
}

function triedFor(audience: string): string {
  return `a service token for ${audience}`;
}
