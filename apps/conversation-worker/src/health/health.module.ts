import { Module, type OnModuleInit } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { ModelRouter } from '@soma/llm';
import { KafkaConnection } from '@soma/messaging';
import { DatabaseProbe } from '@soma/persistence';

/** Says what the worker depends on: it goes on from the database alone while Kafka is away. */
@Module({})
export class HealthModule implements OnModuleInit {
  constructor(
    private readonly health: HealthChecks,
    private readonly database: DatabaseProbe,
    private readonly kafka: KafkaConnection,
    private readonly router: ModelRouter,
  ) {}

  onModuleInit(): void {
    this.health.add({ name: 'postgres', required: true, check: () => this.database.check() });
    this.health.add({ name: 'kafka', required: false, check: () => this.kafka.check() });
    this.router.breakers.forEach((breaker) => {
      this.health.addBreaker(breaker);
    });
  }
}
