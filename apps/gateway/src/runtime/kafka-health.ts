import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HealthChecks } from '@soma/http';
import { KafkaConnection } from '@soma/messaging';

/** Shows Kafka. Without it messages are still accepted, and streams go on from the database. */
@Injectable()
export class KafkaHealth implements OnModuleInit {
  constructor(
    private readonly health: HealthChecks,
    private readonly kafka: KafkaConnection,
  ) {}

  onModuleInit(): void {
    this.health.add({
      name: 'kafka',
      required: false,
      check: () => this.kafka.administer((admin) => admin.describeCluster()),
    });
  }
}
