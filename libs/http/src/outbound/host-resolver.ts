import type { LookupAddress } from 'node:dns';
import { lookup, Resolver } from 'node:dns/promises';
import { isIP } from 'node:net';
import { Problem, TransientError } from '@soma/kernel';
import { type AddressRules, canonicalName } from './address-rules.ts';

/** Two tries of this long are well within what somebody waits for a connection. */
const DNS_TIMEOUT_MS = 2_000;
const DNS_TRIES = 2;

/** Asks DNS for the addresses of a name. Node's own resolver does. */
export type AddressSource = Pick<Resolver, 'resolve4' | 'resolve6'>;

/** A host that may be connected to. */
export interface ResolvedHost {
  /** At least one. */
  addresses: LookupAddress[];
  /** Whether the operator allowed it; otherwise it is on the public internet. */
  isInternal: boolean;
}

/**
 * Finds the addresses of hosts that outside parties name, and refuses those that they have no
 * business to reach. Whoever connects must connect to these addresses and not ask for the name
 * again: a name may have another address by then (DNS rebinding).
 */
export class HostResolver {
  readonly #rules: AddressRules;
  readonly #dns: AddressSource;

  constructor(rules: AddressRules, dns?: AddressSource) {
    this.#rules = rules;
    this.#dns = dns ?? new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
  }

  /**
   * @throws {@link Problem} 422 `outbound_address_refused`, when any of its addresses is refused
   * @throws {@link TransientError} when the name has no address right now
   */
  async resolve(host: string): Promise<ResolvedHost> {
    const bare = host.replace(/^\[(.*)\]$/, '$1');
    if (isIP(bare) === 0 && this.#rules.allowsName(bare)) {
      return { addresses: await systemAddresses(bare), isInternal: true };
    }
    const addresses = isIP(bare) === 0 ? await this.#ask(canonicalName(bare)) : [literal(bare)];
    const places = new Set(addresses.map(({ address }) => this.#rules.placeOf(address)));
    // A name with addresses of both kinds is a trick: which one is taken is then up to chance.
    if (places.has('refused') || places.size > 1) {
      throw addressRefused(host);
    }
    return { addresses, isInternal: places.has('internal') };
  }

  /**
   * By DNS itself and not by the system: names of the system are the operator's, and a DNS server
   * that does not answer would hold one of the few threads which files need too.
   */
  async #ask(name: string): Promise<LookupAddress[]> {
    const answers = await Promise.allSettled([this.#dns.resolve4(name), this.#dns.resolve6(name)]);
    const addresses = answers.flatMap((answer) =>
      answer.status === 'fulfilled' ? answer.value.map(literal) : [],
    );
    if (addresses.length === 0) {
      const cause = answers.find((answer) => answer.status === 'rejected')?.reason as unknown;
      throw new TransientError(`Looking up ${name}`, { cause });
    }
    return addresses;
  }
}

/** The operator may name hosts that only this machine knows, such as `localhost`. */
async function systemAddresses(host: string): Promise<LookupAddress[]> {
  return lookup(host, { all: true }).catch((cause: unknown) => {
    throw new TransientError(`Looking up ${host}`, { cause });
  });
}

function literal(address: string): LookupAddress {
  return { address, family: isIP(address) };
}

function addressRefused(host: string): Problem {
  return new Problem({
    status: 422,
    code: 'outbound_address_refused',
    detail:
      `"${host}" is not on the public internet. Whoever operates this installation can allow ` +
      'hosts of its own network.',
  });
}
