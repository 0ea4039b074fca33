import { BlockList } from 'node:net';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AddressRules, isAllowable } from './address-rules.ts';

/** IANA's registries of special-purpose addresses (RFC 6890), and multicast, by hand. */
const NOT_PUBLIC = new BlockList();
for (const [network = '', prefix] of [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16'],
  ...['172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4', '168.63.129.16/32'],
].map((cidr) => cidr.split('/'))) {
  NOT_PUBLIC.addSubnet(network, Number(prefix));
}

const anyIpv4 = fc.ipV4();
/** As likely one of a special network as one of the internet. */
const ipv4 = fc.oneof(
  anyIpv4,
  fc
    .tuple(
      fc.constantFrom('0', '10', '100.64', '127', '169.254', '172.16', '172.31', '192.168', '224'),
      anyIpv4,
    )
    .map(([start, rest]) => {
      const given = start.split('.');
      return [...given, ...rest.split('.').slice(given.length)].join('.');
    }),
);

function words(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

describe('AddressRules', () => {
  const rules = new AddressRules([]);

  it('lets nothing but the public internet through', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        const place = rules.placeOf(address);
        expect(place).toBe(NOT_PUBLIC.check(address) ? 'refused' : 'public');
      }),
    );
  });

  it('refuses IPv4 addresses in other clothes, whatever they are', () => {
    const dresses = [
      (address: string) => `::ffff:${address}`,
      (address: string) => `::ffff:${words(address)}`,
      (address: string) => `0:0:0:0:0:FFFF:${words(address)}`,
      (address: string) => `::${words(address)}`,
      (address: string) => `::ffff:0:${words(address)}`,
      (address: string) => `2002:${words(address)}::1`,
      (address: string) => `2001:0:${words(address)}::`,
      (address: string) => `64:ff9b:1::${words(address)}`,
    ];
    fc.assert(
      fc.property(ipv4, fc.constantFrom(...dresses), (address, dress) => {
        expect(rules.placeOf(dress(address))).toBe('refused');
      }),
    );
  });

  it('judges what a translator translates by what it stands for', () => {
    fc.assert(
      fc.property(ipv4, (address) => {
        expect(rules.placeOf(`64:ff9b::${words(address)}`)).toBe(rules.placeOf(address));
      }),
    );
  });

  it.each([
    ...['::', '::1', 'fe80::1', 'fe80::1%eth0', 'fec0::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1'],
    ...['100::1', '2001:db8::1', '2001:10::1', '4000::1', '169.254.169.254', '100.100.100.200'],
    ...['', 'localhost', '1.2.3', '0x7f.1', '127.1', '2130706433', '0177.0.0.1', 'x::1'],
  ])('refuses %s', (address) => {
    expect(rules.placeOf(address)).toBe('refused');
  });

  it.each(['8.8.8.8', '2606:4700::1111', '2a00:1450:4001::1'])('lets %s through', (address) => {
    expect(rules.placeOf(address)).toBe('public');
  });

  it('lets through what the operator allows, and no more of it', () => {
    const allowing = new AddressRules(['10.1.0.0/16', '192.168.7.7', 'fd12::/16', 'N8N.internal']);

    const places = [
      '10.1.2.3',
      '::ffff:10.1.2.3',
      '10.2.0.1',
      '192.168.7.7',
      '192.168.7.8',
      'fd12::1',
    ].map((address) => allowing.placeOf(address));
    expect(places).toEqual(['internal', 'internal', 'refused', 'internal', 'refused', 'internal']);
    expect(allowing.allowsName('n8n.INTERNAL.')).toBe(true);
    expect(allowing.allowsName('x.n8n.internal')).toBe(false);
  });

  it('takes names, addresses and networks as the setting, and nothing else', () => {
    const good = ['n8n', 'n8n.internal', '10.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8', 'bücher.de'];
    const bad = ['10.0.0.0/33', 'http://n8n', 'n8n:5678', '*.internal', '1.2.3.4.5', 'a b', ''];

    expect(good.filter((text) => !isAllowable(text))).toEqual([]);
    expect(bad.filter(isAllowable)).toEqual([]);
  });
});
