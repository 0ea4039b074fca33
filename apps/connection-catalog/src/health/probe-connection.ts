import { Injectable } from '@nestjs/common';
import type { HealthReason } from '@soma/contracts';
import { Outbound } from '@soma/http';
import { Problem } from '@soma/kernel';
import type { CheckLimit } from './check-limit.ts';
import { type Probe, ProbeFailure, type ProbeTarget } from './probe.ts';
import { probeDatabase } from './probes/database.probe.ts';
import { probeHttp } from './probes/http.probe.ts';
import { probeMcp } from './probes/mcp.probe.ts';
import { probeS3 } from './probes/s3.probe.ts';
import { probeSmtp } from './probes/smtp.probe.ts';

/** Types that one request over HTTP cannot try. */
const PROBES: Record<string, Probe> = {
  database: probeDatabase,
  mcp: probeMcp,
  s3: probeS3,
  smtp: probeSmtp,
};

/** How a check ended; undefined where there was nothing to check. */
export interface CheckOutcome {
  /** Null: it succeeded. */
  reason: HealthReason | null;
  latencyMs: number;
}

/** Tries one connection, within the time that a check has. */
@Injectable()
export class ProbeConnection {
  constructor(private readonly outbound: Outbound) {}

  async execute(target: ProbeTarget, limit: CheckLimit): Promise<CheckOutcome | undefined> {
    const probe = PROBES[target.type.name] ?? probeHttp;
    const { signal } = limit;
    const begun = performance.now();
    const probing = probe(target, { outbound: this.outbound, signal }).catch((error: unknown) => {
      signal.throwIfAborted();
      return reasonOf(error);
    });
    const outcome = await limit.wait(probing, () => 'timeout' as const);
    if (outcome === false) {
      return undefined;
    }
    const latencyMs = Math.round(performance.now() - begun);
    return { reason: outcome === true ? null : outcome, latencyMs };
  }
}

/** Drivers put codes of their own in the place of those of Node's TLS; the sentences stay. */
const TLS_FAULT = /\b(CERT_\w+|ERR_(TLS|SSL)_\w+|EPROTO|SSL|TLS|certificate|altnames)\b/i;
const LATE = /^(ETIMEDOUT|ETIMEOUT|UND_ERR_CONNECT_TIMEOUT)$/;

function reasonOf(error: unknown): HealthReason {
  if (error instanceof ProbeFailure) {
    return error.reason;
  }
  if (error instanceof Problem) {
    return error.code === 'upstream_answer_too_large' ? 'unexpected_answer' : 'address_refused';
  }
  const causes = causesOf(error);
  if (causes.some(({ code, message }) => TLS_FAULT.test(`${code} ${message}`))) {
    return 'tls_refused';
  }
  return causes.some(({ code }) => LATE.test(code)) ? 'timeout' : 'unreachable';
}

/** The error, what caused it, and so on. */
function causesOf(error: unknown): { code: string; message: string }[] {
  const causes: { code: string; message: string }[] = [];
  let each = error;
  while (typeof each === 'object' && each !== null && causes.length < 10) {
    const { code, message, cause } = each as { code?: unknown; message?: string; cause?: unknown };
    causes.push({ code: typeof code === 'string' ? code : '', message: message ?? '' });
    each = cause;
  }
  return causes;
}
