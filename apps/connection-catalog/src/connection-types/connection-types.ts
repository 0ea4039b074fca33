import type { ConnectionTypeList } from '@soma/contracts';
import { Problem } from '@soma/kernel';
import { DEFAULT_CONCURRENCY, type PermitLimits } from '@soma/persistence';
import { z } from 'zod';
import type { ConnectionType } from './connection-type.ts';
import { builtInTypes } from './registry.ts';

/** Requests a minute where nobody says otherwise. */
const DEFAULT_RATE_RPM = 60;

/** Every type of connection that this service knows. */
export class ConnectionTypes {
  readonly #types: ReadonlyMap<string, ConnectionType>;

  /** @param declared - Types from files. Their names are not those of ours. */
  constructor(declared: readonly ConnectionType[] = []) {
    const types = [...builtInTypes, ...declared];
    this.#types = new Map(types.map((type) => [type.name, type]));
  }

  find(name: string): ConnectionType | undefined {
    return this.#types.get(name);
  }

  /**
   * For a connection that there is.
   *
   * @throws {@link Problem} 422 `connection_type_gone` where the operator declares it no more.
   */
  get(name: string): ConnectionType {
    const type = this.find(name);
    if (type === undefined) {
      throw new Problem({
        status: 422,
        code: 'connection_type_gone',
        detail: `This service no longer knows connections of type "${name}". Ask its operator.`,
      });
    }
    return type;
  }

  /** How often a connection may be used, in requests a minute. */
  rateOf(type: ConnectionType, own: number | null): number {
    return own ?? type.defaultRateRpm ?? DEFAULT_RATE_RPM;
  }

  /** How much a connection may be used. */
  limitsOf(type: ConnectionType, own: number | null): PermitLimits {
    return {
      perMinute: this.rateOf(type, own),
      concurrency: type.concurrency ?? DEFAULT_CONCURRENCY,
    };
  }

  /** Those that can answer turns. */
  withModels(): string[] {
    return [...this.#types.values()].filter((type) => type.offersModels).map(({ name }) => name);
  }

  /** What a form is made from, by name. */
  describe(): ConnectionTypeList {
    const types = [...this.#types.values()].sort((left, right) =>
      left.name < right.name ? -1 : 1,
    );
    return {
      types: types.map((type) => ({
        type: type.name,
        title: type.title,
        description: type.description,
        schema: z.toJSONSchema(type.fields, { io: 'input' }),
        default_rate_limit_rpm: this.rateOf(type, null),
        receives_webhooks: type.receivesWebhooks === true,
      })),
    };
  }
}
