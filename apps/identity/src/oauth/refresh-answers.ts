import { sleep } from '@soma/kernel';
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { OidcRecords } from './oidc-records.ts';
import { AlreadyUsed } from './record-adapter.ts';

/** How long a request waits for the answer of another that came with the same token. */
const WAIT_MS = 3_000;
const LOOK_AGAIN_MS = 50;

/**
 * Answers a refresh that is tried again as it was answered the first time.
 *
 * A refresh token is used once: who comes with a used one is a thief, or was robbed, and the family
 * ends. But a client whose connection broke has only the used one, and tabs of one browser use the
 * same one at once. So for some seconds the same token gets the same answer. One request of all
 * pods wins the token (`OidcRecords.consume`) and stores its answer before it sends it; the others
 * wait for that answer.
 */
export function rememberRefreshes(provider: Provider, records: OidcRecords): void {
  const repeated = new WeakSet<KoaContextWithOIDC>();
  provider.on('grant.error', (context, error) => {
    if (error instanceof AlreadyUsed) {
      repeated.add(context);
    }
  });
  provider.use(async (context: KoaContextWithOIDC, next: () => Promise<void>) => {
    await next();
    if (repeated.has(context)) {
      await repeatAnswer(context, records);
    } else {
      await rememberAnswer(context, records);
    }
  });
}

async function rememberAnswer(context: KoaContextWithOIDC, records: OidcRecords): Promise<void> {
  const used = rotatedToken(context);
  if (used !== undefined && context.status === 200) {
    await records.rememberAnswer('RefreshToken', used, context.body as object);
  }
}

function rotatedToken(context: Partial<KoaContextWithOIDC>): string | undefined {
  return context.oidc?.entities.RotatedRefreshToken?.jti;
}

async function repeatAnswer(context: KoaContextWithOIDC, records: OidcRecords): Promise<void> {
  const token = context.oidc.params?.['refresh_token'];
  if (typeof token !== 'string') {
    return;
  }
  const deadline = Date.now() + WAIT_MS;
  do {
    const answer = await records.answerOf('RefreshToken', token);
    if (answer !== undefined) {
      context.status = 200;
      context.body = answer;
      return;
    }
    await sleep(LOOK_AGAIN_MS);
  } while (Date.now() < deadline);
}
