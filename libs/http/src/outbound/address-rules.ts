import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Network = [Address, number];

/** Where all of the public IPv6 internet is (RFC 4291 §2.4, IANA's registry of unicast space). */
const GLOBAL_IPV6 = network('2000::/3');
/** Addresses that a translator makes of IPv4 ones (RFC 6052 §2.1): what they stand for counts. */
const TRANSLATED = network('64:ff9b::/96');
/** Public by its number, but inside of Azure it answers with the secrets of the machine. */
const AZURE_WIRE_SERVER = '168.63.129.16';

/** Where an address is: in the operator's own network, as far as it is allowed, or outside. */
export type Place = 'internal' | 'public' | 'refused';

/**
 * Which addresses outside parties may make us connect to: those of the public internet, and those
 * that the operator allows.
 */
export class AddressRules {
  readonly #names = new Set<string>();
  readonly #networks: Network[] = [];

  /** @param allowed - Host names, addresses and networks as in `10.1.0.0/16`. */
  constructor(allowed: readonly string[]) {
    for (const text of allowed) {
      if (ipaddr.isValidCIDR(text)) {
        this.#networks.push(network(text));
      } else if (isIP(text) !== 0) {
        const address = ipaddr.parse(text);
        this.#networks.push([address, address.kind() === 'ipv4' ? 32 : 128]);
      } else {
        this.#names.add(canonicalName(text));
      }
    }
  }

  /** Whether the operator allows this host by its name, so that any address of it will do. */
  allowsName(host: string): boolean {
    return this.#names.has(canonicalName(host));
  }

  /** @param text - An address in any form that connecting to it would take. */
  placeOf(text: string): Place {
    // Whatever is no address cannot be judged.
    if (isIP(text) === 0) {
      return 'refused';
    }
    const address = ipaddr.parse(text);
    return this.#isAllowed(address) ? 'internal' : isPublic(address) ? 'public' : 'refused';
  }

  /** An IPv4 address in IPv6 clothes is the address that it stands for. */
  #isAllowed(address: Address): boolean {
    const bare =
      address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress()
        ? address.toIPv4Address()
        : address;
    return this.#networks.some((allowed) => contains(allowed, bare));
  }
}

/** A host name as DNS compares it: without the root's dot, in lower case, in ASCII (RFC 5891). */
export function canonicalName(host: string): string {
  return domainToASCII(host).replace(/\.$/, '');
}

/** Whether this is a name, an address or a network that {@link AddressRules} understands. */
export function isAllowable(text: string): boolean {
  if (isIP(text) !== 0 || ipaddr.isValidCIDR(text)) {
    return true;
  }
  const name = canonicalName(text);
  // What begins like the host of a URL would lose its other parts.
  return !/[\s/:?#@*\\]/.test(text) && name !== '' && isIP(name) === 0;
}

function isPublic(address: Address): boolean {
  if (address instanceof ipaddr.IPv4) {
    return address.range() === 'unicast' && address.toString() !== AZURE_WIRE_SERVER;
  }
  if (contains(TRANSLATED, address)) {
    return isPublic(new ipaddr.IPv4(address.toByteArray().slice(-4)));
  }
  // The first leaves out mapped and compatible forms, site-local addresses and translators that are
  // the network's own (RFC 8215); the second tunnels to IPv4, such as 6to4 and Teredo.
  return contains(GLOBAL_IPV6, address) && address.range() === 'unicast';
}

function contains([base, bits]: Network, address: Address): boolean {
  return base.kind() === address.kind() && address.match(base, bits);
}

function network(text: string): Network {
  return ipaddr.parseCIDR(text);
}
