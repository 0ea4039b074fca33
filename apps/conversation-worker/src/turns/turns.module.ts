import {
  type BeforeApplicationShutdown,
  type DynamicModule,
  Logger,
  Module,
  type OnApplicationBootstrap,
  type Provider,
} from '@nestjs/common';
import { ConnectionLeases, ConnectionLimits } from '@soma/connections';
import { Outbound } from '@soma/http';
import { ModelRouter } from '@soma/llm';
import { recordCircuitState } from '@soma/observability';
import type { WorkerConfig } from '../worker.config.ts';
import { AnswerTurn } from './answer-turn.ts';
import { BuildRequest } from './build-request.ts';
import { DeadLettersController } from '../dead-letters/dead-letters.controller.ts';
import { CallDeadlines } from '../tools/call-deadlines.ts';
import { type OfferedTool, OfferedTools } from '../tools/offered-tools.ts';
import { ToolResultsController } from '../tools/tool-results.controller.ts';
import { FitConversation } from './fit-conversation.ts';
import { InboundController } from './inbound.controller.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { ReplayTurn } from './replay-turn.ts';
import { RunTurn } from './run-turn.ts';
import { RunningTurns } from './running-turns.ts';
import { TenantKeys } from './tenant-keys.ts';
import { TURN_LIMITS } from './turn-limits.ts';
import { TurnScheduler } from './turn-scheduler.ts';

/** Runs turns from the first claim on, until the service is told to stop. */
@Module({})
export class TurnsModule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  constructor(private readonly scheduler: TurnScheduler) {}

  static configure(config: WorkerConfig, tools: readonly OfferedTool[]): DynamicModule {
    return {
      module: TurnsModule,
      global: true,
      controllers: [InboundController, ToolResultsController, DeadLettersController],
      providers: [
        { provide: TURN_LIMITS, useValue: config },
        { provide: OfferedTools, useValue: new OfferedTools(tools) },
        modelRouter(config),
        AnswerTurn,
        BuildRequest,
        CallDeadlines,
        FitConversation,
        LeaseKeeper,
        ReplayTurn,
        RunTurn,
        RunningTurns,
        TurnScheduler,
      ],
      exports: [ModelRouter],
    };
  }

  onApplicationBootstrap(): void {
    this.scheduler.start();
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.scheduler.drain();
  }
}

function modelRouter(config: WorkerConfig): Provider {
  return {
    provide: ModelRouter,
    inject: [ConnectionLeases, ConnectionLimits, Outbound],
    useFactory: (
      leases: ConnectionLeases | null,
      limits: ConnectionLimits | null,
      outbound: Outbound,
    ) =>
      new ModelRouter(config, {
        keys: leases && limits && new TenantKeys(leases, limits, outbound),
        warn: (message) => {
          new Logger(ModelRouter.name).warn(message);
        },
        onCircuitState: recordCircuitState,
      }),
  };
}
