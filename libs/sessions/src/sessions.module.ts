import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { AcceptTurns } from './accept-turns.ts';
import { CancelTurns } from './cancel-turns.ts';
import { ClaimTurn } from './claim-turn.ts';
import { ErasureLedger } from './erasure-ledger.ts';
import { FindTurns } from './find-turns.ts';
import { Personas } from './personas.ts';
import { Retention } from './retention.ts';
import { RowAnnouncer } from './row-announcer.ts';
import { SessionOutbox } from './session-outbox.ts';
import { SessionOwners } from './session-owners.ts';
import { Sessions } from './sessions.ts';
import { StreamTickets } from './stream-tickets.ts';
import { SessionHeads, Timeline } from './timeline.ts';
import { ToolResults } from './tool-results.ts';
import { TurnHistory } from './turn-history.ts';
import { WorkerLeases } from './worker-leases.ts';
import { WriteTurn } from './write-turn.ts';

const PROVIDERS = [
  AcceptTurns,
  CancelTurns,
  ClaimTurn,
  ErasureLedger,
  FindTurns,
  Personas,
  Retention,
  SessionHeads,
  SessionOutbox,
  SessionOwners,
  Sessions,
  StreamTickets,
  Timeline,
  ToolResults,
  TurnHistory,
  WorkerLeases,
  WriteTurn,
];

/** Everything about the `conversation` schema. */
@Module({})
export class SessionsModule {
  /** @param announcer - A provider of the app's, in a global module: its relay. */
  static announceTo(announcer: Type<RowAnnouncer>): DynamicModule {
    return {
      module: SessionsModule,
      global: true,
      providers: [{ provide: RowAnnouncer, useExisting: announcer }, ...PROVIDERS],
      exports: PROVIDERS,
    };
  }
}
