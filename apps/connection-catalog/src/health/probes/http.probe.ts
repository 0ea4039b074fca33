import { connectionRequest } from '@soma/connections';
import { askedPauseMs } from '@soma/http';
import type { HttpHealthCheck } from '../../connection-types/connection-type.ts';
import { type ProbeContext, type Probe, ProbeFailure, type ProbeTarget } from '../probe.ts';

/** More than any answer to a check has. */
const MAX_BYTES = 1024 * 1024;
/** Somebody who limits us is there; whether the credential is good is seen the next time. */
const TOO_MANY = 429;
const REFUSED = new Set([401, 403, 407]);
/** HEAD is not everybody's (RFC 9110 §15.5.6, §15.6.2). */
const WITHOUT_HEAD = new Set([405, 501]);

/** Makes the one request that the connection's type names. */
export const probeHttp: Probe = async (target, context) => {
  const check = target.type.http?.health;
  if (check === undefined || (check.needs !== undefined && !target.credentials.has(check.needs))) {
    return false;
  }
  const answer = await ask(target, check, context);
  if (answer === undefined) {
    return false;
  }
  await heed(answer, context);
  judge(check, answer.status);
  if (check.mustBeTrue !== undefined && !isTrue(await answer.text(), check.mustBeTrue)) {
    throw new ProbeFailure('credential_refused');
  }
  return true;
};

async function ask(
  target: ProbeTarget,
  check: HttpHealthCheck,
  { outbound, signal }: ProbeContext,
): Promise<Response | undefined> {
  const request = connectionRequest(target, check.path);
  if (request === undefined) {
    return undefined;
  }
  const { method = 'GET' } = check;
  const { url, headers } = request;
  const answer = await outbound.fetch(url, { method, headers, signal, maxBytes: MAX_BYTES });
  if (method !== 'HEAD' || !WITHOUT_HEAD.has(answer.status)) {
    return answer;
  }
  return outbound.fetch(url, { headers, signal, maxBytes: MAX_BYTES });
}

async function heed(answer: Response, { pause }: ProbeContext): Promise<void> {
  const pauseMs = askedPauseMs(answer);
  if (pauseMs !== undefined) await pause(pauseMs);
}

function judge({ accepts = [], anyAnswer }: HttpHealthCheck, status: number): void {
  if (status === TOO_MANY || accepts.includes(status)) {
    return;
  }
  if (REFUSED.has(status)) {
    throw new ProbeFailure('credential_refused');
  }
  if (status >= (anyAnswer === true ? 500 : 300)) {
    throw new ProbeFailure('unexpected_answer');
  }
}

/** Some APIs say what is wrong in the body of an answer with status 200. */
function isTrue(body: string, field: string): boolean {
  try {
    return (JSON.parse(body) as Record<string, unknown> | null)?.[field] === true;
  } catch (error) {
    throw new ProbeFailure('unexpected_answer', error);
  }
}
