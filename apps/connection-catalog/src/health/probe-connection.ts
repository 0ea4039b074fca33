import { Injectable } from '@nestjs/common';
import type { HealthReason } from '@soma/contracts';
import { Outbound } from '@soma/http';
import { Problem } from '@soma/kernel';
import { Permits } from '@soma/persistence';
import type { CheckLimit } from './check-limit.ts';
import { type LimitedTarget, type Probe, type ProbeContext, ProbeFailure } from './probe.ts';
import { probeDatabase } from './probes/database.probe.ts';
import { probeHttp } from './probes/http.probe.ts';
import { probeMcp } from './probes/mcp.probe.ts';
import { probeS3 } from './probes/s3.probe.ts';
import { probeSmtp } from './probes/smtp.probe.ts';

/** How long a check waits for its turn at a connection that others use. */
const LINE_MS = 1_000;

/** Types that one request over HTTP cannot try. */
const PROBES: Record<string, Probe> = {
  database: probeDatabase,
  mcp: probeMcp,
  s3: probeS3,
  smtp: probeSmtp,
};

/** What is asked nothing is not used either. */
function isProbed({ type }: LimitedTarget): boolean {
  return PROBES[type.name] !== undefined || type.http?.health !== undefined;
}

/** How a check ended; undefined where there was nothing to check. */
export interface CheckOutcome {
  /** Null: it succeeded. */
  reason: HealthReason | null;
  latencyMs: number;
}

/** Tries one connection, within the time that a check has. A check counts as a use of it. */
@Injectable()
export class ProbeConnection {
  constructor(
    private readonly outbound: Outbound,
    private readonly permits: Permits,
  ) {}

  /** @throws {@link Problem} 429 `connection_rate_limited`: nothing was tried */
  async execute(target: LimitedTarget, limit: CheckLimit): Promise<CheckOutcome | undefined> {
    if (!isProbed(target)) {
      return undefined;
    }
    const { key, limits } = target.use;
    const permit = await this.permits.take(key, limits, { deadlineMs: LINE_MS });
    try {
      return await this.probe(target, limit);
    } finally {
      await permit.release();
    }
  }

  private async probe(target: LimitedTarget, limit: CheckLimit): Promise<CheckOutcome | undefined> {
    const probe = PROBES[target.type.name] ?? probeHttp;
    const { signal } = limit;
    const begun = performance.now();
    const probing = probe(target, this.contextOf(target, signal)).catch((error: unknown) => {
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

  private contextOf({ use }: LimitedTarget, signal: AbortSignal): ProbeContext {
    const pause = (forMs: number): Promise<void> => this.permits.pause(use.key, forMs);
    return { outbound: this.outbound, signal, pause };
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
