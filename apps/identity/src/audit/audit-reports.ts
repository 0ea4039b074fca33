import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { AuditReport } from '@soma/contracts';
import { OPERATOR_TENANT } from '../tenancy/operator-tenant.ts';

/** Whoever brings reports to the audit log, and keeps them meanwhile. */
export interface AuditRecorder {
  /** Returns at once and never fails. */
  record: (report: AuditReport) => void;
}

/** Under this token is the {@link AuditRecorder}. */
export const AUDIT_RECORDER = Symbol('AUDIT_RECORDER');

const WINDOW_MS = 60_000;
/** So many of one kind and origin are told one by one in a minute. */
const TOLD_SINGLY = 5;
/** So many kinds and origins are told apart in a minute: of what was granted, and of what was refused. */
const MAX_GROUPS = 1_000;

/** Of one kind and origin: the last one, and how many there were. */
interface Group {
  count: number;
  last: AuditReport;
}

/**
 * Tells the audit log of what changes nothing in the database: tokens that programs get, and whoever
 * is refused before it is known who it is.
 *
 * Of the same from the same there may be thousands in a minute, and anybody can cause refusals. So the
 * first few of a minute have a line each, and the others one line together, which says how many.
 */
@Injectable()
export class AuditReports implements OnApplicationShutdown {
  private granted = new Map<string, Group>();
  /** Apart, for anybody can fill it. */
  private refused = new Map<string, Group>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(AUDIT_RECORDER) private readonly recorder: AuditRecorder,
    @Inject(OPERATOR_TENANT) readonly operatorTenant: string,
  ) {}

  /** Returns at once and never fails. */
  record(report: AuditReport): void {
    this.timer ??= setTimeout(() => {
      this.endWindow();
    }, WINDOW_MS).unref();
    const group = this.groupOf(report);
    group.count += 1;
    group.last = report;
    if (group.count <= TOLD_SINGLY) {
      this.recorder.record(report);
    }
  }

  onApplicationShutdown(): void {
    clearTimeout(this.timer);
    this.endWindow();
  }

  private groupOf(report: AuditReport): Group {
    const { tenant_id, actor, action, target, outcome } = report;
    const groups = outcome === 'success' ? this.granted : this.refused;
    const own = [tenant_id, action, actor.subject, actor.address, target.id].join(' ');
    // Beyond that many, whoever else of the tenant it is.
    const isTold = groups.size < MAX_GROUPS || groups.has(own);
    const name = isTold ? own : `${tenant_id} ${action}`;
    const group = groups.get(name) ?? { count: 0, last: report };
    groups.set(name, group);
    return group;
  }

  private endWindow(): void {
    for (const { count, last } of [...this.granted.values(), ...this.refused.values()]) {
      if (count > TOLD_SINGLY) {
        const details = { ...last.details, repeats: count - TOLD_SINGLY };
        this.recorder.record({ ...last, details });
      }
    }
    this.granted = new Map();
    this.refused = new Map();
    this.timer = undefined;
  }
}
