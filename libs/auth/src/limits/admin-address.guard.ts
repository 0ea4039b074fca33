import { BlockList, isIP } from 'node:net';
import {
  type CanActivate,
  type ExecutionContext,
  Injectable,
  NotFoundException,
  Optional,
} from '@nestjs/common';
import type { AccessResource } from '@soma/contracts';
import { ruleOf } from '../access/access.decorator.ts';
import type { AccessRule } from '../access/access-rule.ts';
import type { GuardedRequest } from '../access/access.guard.ts';

/** Whose administration may be bound to certain addresses. */
const ADMINISTRATION: ReadonlySet<AccessResource> = new Set([
  'api_key',
  'audit_log',
  'member',
  'tenant',
]);

/** Whether a route may be hidden from some addresses. */
export function isAdministration({ resource }: AccessRule): boolean {
  return ADMINISTRATION.has(resource);
}

/** From where keys, members, tenants and the audit log may be reached. */
export class AdminAddresses {
  readonly #allowed = new BlockList();

  /** @param cidrs - As in `10.0.0.0/8`. */
  constructor(cidrs: readonly string[]) {
    for (const cidr of cidrs) {
      const [address = '', prefix] = cidr.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      this.#allowed.addSubnet(address, Number(prefix ?? (family === 'ipv6' ? 128 : 32)), family);
    }
  }

  includes(address: string): boolean {
    // An IPv4 client of a socket that also takes IPv6, RFC 4291 §2.5.5.2.
    const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
    return this.#allowed.check(plain, isIP(plain) === 6 ? 'ipv6' : 'ipv4');
  }
}

/**
 * Hides administration from addresses that have no business with it. It runs before everything else:
 * from there the route is as unknown as any other, with or without a credential.
 */
@Injectable()
export class AdminAddressGuard implements CanActivate {
  constructor(@Optional() private readonly addresses?: AdminAddresses) {}

  canActivate(context: ExecutionContext): boolean {
    const rule = ruleOf(context.getHandler());
    if (this.addresses === undefined || rule === undefined || !isAdministration(rule)) {
      return true;
    }
    const { ip } = context.switchToHttp().getRequest<GuardedRequest>();
    if (!this.addresses.includes(ip)) {
      throw new NotFoundException();
    }
    return true;
  }
}
