import { type DynamicModule, Module, type Type } from '@nestjs/common';
import type { ConfigUpdate } from '@soma/contracts';
import { HealthChecks } from '@soma/http';
import { Relationships } from './access/relationships.ts';
import { Revocations } from './revocations.ts';

/** Whoever hears what lies on the topic `config.updates`. */
interface UpdatesReader {
  listen: (listener: (update: ConfigUpdate) => void) => void;
  readonly isCaughtUp: boolean;
}

/** What is remembered and must be let go. */
type Copies = [Revocations, Relationships | null];

const FEED = Symbol('RevocationFeed');

/** Has a service hear of what is revoked, and whose rights have changed. Before it has heard all of it, it is not ready (P7). */
@Module({})
export class RevocationFeed {
  /** @param reader - A provider of a global module. */
  static from(reader: Type<UpdatesReader>): DynamicModule {
    return {
      module: RevocationFeed,
      providers: [
        {
          provide: FEED,
          inject: [reader, HealthChecks, Revocations, Relationships],
          useFactory: (updates: UpdatesReader, health: HealthChecks, ...copies: Copies) => {
            updates.listen((update) => {
              drop(update, copies);
            });
            health.addReadiness('config_updates', () => updates.isCaughtUp);
            // Not the reader: Nest would start it once more.
            return {};
          },
        },
      ],
    };
  }
}

function drop(update: ConfigUpdate, [revocations, relationships]: Copies): void {
  revocations.apply(update);
  if (update.entity === 'relationships') {
    relationships?.noteChange(update);
  }
}
