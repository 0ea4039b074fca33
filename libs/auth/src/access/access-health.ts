import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { PolicyClient } from './policy-client.ts';
import { Relationships } from './relationships.ts';

/** Shows what decides on requests: without it nothing is allowed. */
@Injectable()
export class AccessHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthChecks,
    @Inject(PolicyClient) private readonly policy: PolicyClient | null,
    @Inject(Relationships) private readonly relationships: Relationships | null,
  ) {}

  onModuleInit(): void {
    const { policy, relationships } = this;
    this.health.note('policy', policy === null ? 'not_configured' : 'enforced');
    if (policy !== null) {
      this.health.add({ name: 'opa', required: true, check: (signal) => policy.check(signal) });
    }
    if (relationships !== null) {
      this.health.add({ name: 'openfga', required: true, check: () => relationships.probe() });
    }
  }
}
