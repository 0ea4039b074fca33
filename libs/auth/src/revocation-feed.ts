import { type DynamicModule, Module, type Type } from '@nestjs/common';
import type { ConfigUpdate } from '@soma/contracts';
import { HealthChecks } from '@soma/http';
import { Revocations } from './revocations.ts';

/** Whoever hears what lies on the topic `config.updates`. */
interface UpdatesReader {
  listen: (listener: (update: ConfigUpdate) => void) => void;
  readonly isCaughtUp: boolean;
}

const FEED = Symbol('RevocationFeed');

/** Has a service hear of what is revoked. Before it has heard all of it, it is not ready (P7). */
@Module({})
export class RevocationFeed {
  /** @param reader - A provider of a global module. */
  static from(reader: Type<UpdatesReader>): DynamicModule {
    return {
      module: RevocationFeed,
      providers: [
        {
          provide: FEED,
          inject: [reader, Revocations, HealthChecks],
          useFactory: (updates: UpdatesReader, revocations: Revocations, health: HealthChecks) => {
            updates.listen((update) => {
              revocations.apply(update);
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
