import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { jwksUrl } from '@soma/auth';
import { HealthChecks } from '@soma/http';
import { DatabaseProbe, RedisConnection } from '@soma/persistence';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';

/** Shows the database, without which the gateway can do nothing, and where its tokens come from. */
@Injectable()
export class GatewayHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthChecks,
    private readonly database: DatabaseProbe,
    private readonly redis: RedisConnection,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  onModuleInit(): void {
    this.health.add({ name: 'postgres', required: true, check: () => this.database.check() });
    this.health.add({ name: 'redis', required: false, check: () => this.redis.check() });
    const url = jwksUrl(this.config);
    if (this.config.GATEWAY_REQUIRE_AUTH && url !== undefined) {
      // The keys stay at hand for as long as identity is away.
      this.health.add({
        name: 'identity',
        required: false,
        check: (signal) => checkUrl(url, signal),
      });
    }
  }
}

async function checkUrl(url: string, signal: AbortSignal): Promise<void> {
  const response = await fetch(url, { signal });
  await response.body?.cancel();
  if (!response.ok) {
    throw new Error(`It answered ${response.status}.`);
  }
}
