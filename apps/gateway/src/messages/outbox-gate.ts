import { Inject, Injectable } from '@nestjs/common';
import { Problem } from '@soma/kernel';
import { Relay } from '@soma/messaging';
import { GATEWAY_CONFIG, type GatewayConfig } from '../gateway.config.ts';

/** Closes when so much waits for Kafka that more would endanger the database. */
@Injectable()
export class OutboxGate {
  constructor(
    private readonly relay: Relay,
    @Inject(GATEWAY_CONFIG) private readonly config: Pick<GatewayConfig, 'OUTBOX_LIMIT'>,
  ) {}

  /** @throws {@link Problem} 502 `outbox_full` */
  check(): void {
    if (this.relay.backlog.count >= this.config.OUTBOX_LIMIT) {
      throw new Problem({
        status: 502,
        code: 'outbox_full',
        detail: 'Messages cannot be passed on, and no more can be kept. Try again later.',
        retryAfterSeconds: 30,
      });
    }
  }
}
