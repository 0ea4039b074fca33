/*
 * What identity asks of providers by itself: 10 s for each request, three tries at most.
 *
 * Reading is tried again after any failure that may pass. A code is not: it works once, and a
 * provider that sees it twice may take it for stolen (RFC 6749 §4.1.2). So it is sent again only
 * where it certainly had no effect: the connection was never made, or the provider says that it
 * handled nothing (429, 503). After any other silence the person starts again, which costs a click.
 */
import { retryTransient, TransientError } from '@soma/kernel';
import { OAuth2Tokens } from 'arctic';
import { ProviderRefusal } from './identity-provider.ts';

/** How patiently providers are asked. */
export interface ProviderPatience {
  /** How long one request may take. */
  timeoutMs: number;
  /** How often it is sent at most. */
  attempts: number;
}

export const PROVIDER_PATIENCE: ProviderPatience = { timeoutMs: 10_000, attempts: 3 };

/** GitHub refuses requests that do not say what sends them. */
const HEADERS = { accept: 'application/json', 'user-agent': 'soma-identity' };

/** Failures before a connection, by Node's own codes and those of its HTTP client. */
const NEVER_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** A provider may or may not have done what it was asked for. Asking again would be a guess. */
class UnclearAnswerError extends Error {
  override readonly name = 'UnclearAnswerError';
}

/** Whether a failure is the provider's, and not that of what it was sent. */
export function isProviderFault(error: unknown): boolean {
  return error instanceof TransientError || error instanceof UnclearAnswerError;
}

/** Sends requests to one provider. */
export class ProviderRequests {
  constructor(private readonly patience: ProviderPatience) {}

  /** Trades a code for tokens. @throws {@link ProviderRefusal} for one that the provider refuses. */
  exchangeCode(endpoint: string, form: Record<string, string>): Promise<OAuth2Tokens> {
    const tried = `POST ${endpoint}`;
    const body = new URLSearchParams({ grant_type: 'authorization_code', ...form });
    return this.patiently(async () => {
      const response = await this.send(endpoint, { method: 'POST', body }).catch(
        (cause: unknown) => {
          throw isNeverSent(cause)
            ? new TransientError(tried, { cause })
            : new UnclearAnswerError(`${tried} was not answered.`, { cause });
        },
      );
      return readTokens(tried, response);
    });
  }

  /** Reads what a provider says about the bearer of a token. */
  readJson(url: string, accessToken: string): Promise<unknown> {
    const tried = `GET ${url}`;
    const headers = { authorization: `Bearer ${accessToken}` };
    return this.patiently(async () => {
      const response = await this.send(url, { headers }).catch((cause: unknown) => {
        throw new TransientError(tried, { cause });
      });
      return readBody(tried, response);
    });
  }

  private patiently<Result>(attempt: () => Promise<Result>): Promise<Result> {
    return retryTransient(attempt, { attempts: this.patience.attempts });
  }

  private send(url: string, { headers, ...init }: RequestInit): Promise<Response> {
    return fetch(url, {
      ...init,
      headers: { ...HEADERS, ...(headers as Record<string, string> | undefined) },
      // A redirect would carry the code or the token to somebody else.
      redirect: 'error',
      signal: AbortSignal.timeout(this.patience.timeoutMs),
    });
  }
}

async function readBody(tried: string, response: Response): Promise<unknown> {
  const fault = new Error(`${tried} answered ${response.status}`);
  if (response.status === 429 || response.status >= 500) {
    await response.body?.cancel();
    throw new TransientError(tried, { cause: fault });
  }
  if (!response.ok) {
    await response.body?.cancel();
    throw new ProviderRefusal('token_invalid', fault);
  }
  return response.json().catch((cause: unknown) => {
    throw new TransientError(tried, { cause });
  });
}

async function readTokens(tried: string, response: Response): Promise<OAuth2Tokens> {
  if (response.status === 429 || response.status === 503) {
    await response.body?.cancel();
    throw new TransientError(tried, { cause: new Error(`answered ${response.status}`) });
  }
  const body = response.status < 500 ? await readObject(response) : undefined;
  if (body === undefined) {
    throw new UnclearAnswerError(`${tried} answered ${response.status} without a JSON object.`);
  }
  const fault = faultOf(response, body);
  if (fault !== undefined) {
    throw new ProviderRefusal('code_refused', new Error(`${tried} answered "${fault}"`));
  }
  return new OAuth2Tokens(body);
}

/** GitHub answers 200 to a code that it refuses. The description is left out: it may quote one. */
function faultOf(response: Response, body: object): string | undefined {
  if ('error' in body) {
    return String(body.error).slice(0, 100);
  }
  return response.ok ? undefined : String(response.status);
}

async function readObject(response: Response): Promise<object | undefined> {
  const body: unknown = await response.json().catch(() => undefined);
  return typeof body === 'object' && body !== null ? body : undefined;
}

function isNeverSent(error: unknown): boolean {
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' && NEVER_SENT.has(cause.code);
}
