import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { jwksUrl } from '@soma/auth';
import { HealthChecks, httpDependency } from '@soma/http';
import { KafkaConnection } from '@soma/messaging';
import { DatabaseProbe, RedisConnection } from '@soma/persistence';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';

/**
 * Shows the database, without which the gateway can do nothing, and what it goes on without: messages
 * are accepted and streams go on from the database while Kafka is away, and the keys of tokens stay at
 * hand while identity is.
 */
@Injectable()
export class GatewayHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthChecks,
    private readonly database: DatabaseProbe,
    private readonly redis: RedisConnection,
    private readonly kafka: KafkaConnection,
    @Inject(GATEWAY_CONFIG) private readonly config: GatewayConfig,
  ) {}

  onModuleInit(): void {
    this.health.add({ name: 'postgres', required: true, check: () => this.database.check() });
    this.health.add({ name: 'redis', required: false, check: () => this.redis.check() });
    this.health.add({ name: 'kafka', required: false, check: () => this.kafka.check() });
    const url = jwksUrl(this.config);
    if (this.config.GATEWAY_REQUIRE_AUTH && url !== undefined) {
      this.health.add(httpDependency({ name: 'identity', url }));
    }
  }
}
