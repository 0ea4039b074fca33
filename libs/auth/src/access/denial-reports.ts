import { type DynamicModule, Module, type Type } from '@nestjs/common';
import type { AuditReport } from '@soma/contracts';
import { type Denial, DENIAL_REPORTER, type DenialReporter } from './denial.ts';

/** Whoever writes the audit log. */
interface AuditRecorder {
  record: (report: AuditReport) => void;
}

/** Has every denial of a service written into the audit log. */
@Module({})
export class DenialReports {
  /** @param recorder - A provider of a global module. */
  static to(recorder: Type<AuditRecorder>): DynamicModule {
    return {
      module: DenialReports,
      global: true,
      providers: [
        {
          provide: DENIAL_REPORTER,
          inject: [recorder],
          useFactory:
            (log: AuditRecorder): DenialReporter =>
            (denial) => {
              log.record(toReport(denial));
            },
        },
      ],
      exports: [DENIAL_REPORTER],
    };
  }
}

function toReport(denial: Denial): AuditReport {
  const { principal, resource, address, requestId, decisionId, rule, method, path } = denial;
  return {
    tenant_id: principal.tenant_id,
    actor: { subject: principal.subject, address },
    action: 'access.denied',
    // What nothing is named of is refused as a whole.
    target: { type: resource.type, id: resource.id ?? '*' },
    outcome: 'denied',
    request_id: requestId,
    details: { decision_id: decisionId, rule, method, path },
  };
}
