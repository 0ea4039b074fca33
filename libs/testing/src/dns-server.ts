import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** A name server of our own. */
export interface DnsServer extends AsyncDisposable {
  /** Where it listens, as resolvers take it: `127.0.0.1:5300`. */
  address: string;
  /** Every question so far, as in `A rebind.test`. */
  questions: string[];
}

const HEADER_BYTES = 12;
const TYPES: Record<number, string> = { 1: 'A', 28: 'AAAA' };

/**
 * Starts a name server (RFC 1035) on a free port of UDP.
 *
 * @param answer - IPv4 addresses of a name when it is asked for the n-th time, from 1; undefined
 *   leaves the question unanswered. Names have no IPv6 addresses.
 */
export async function startDnsServer(
  answer: (name: string, times: number) => string[] | undefined,
): Promise<DnsServer> {
  const questions: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, client) => {
    const { name, type, end } = readQuestion(query);
    const question = `${TYPES[type] ?? type} ${name}`;
    questions.push(question);
    const times = questions.filter((each) => each === question).length;
    const addresses = type === 1 ? answer(name, times) : [];
    if (addresses !== undefined) {
      socket.send(response(query.subarray(0, end), addresses), client.port, client.address);
    }
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    questions,
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  };
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('ascii', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function response(question: Buffer, addresses: string[]): Buffer {
  const header = Buffer.from(question);
  // An answer to a question with recursion, without a fault.
  header.writeUInt16BE(0x8180, 2);
  [1, addresses.length, 0, 0].forEach((count, index) => header.writeUInt16BE(count, 4 + 2 * index));
  const records = addresses.map((address) => {
    // A pointer to the name in the question, type A, class IN, kept for 0 s, four bytes.
    const fixed = [0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4];
    return Buffer.from([...fixed, ...address.split('.').map(Number)]);
  });
  return Buffer.concat([header, ...records]);
}
