import { Agent as HttpAgent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import { Agent as HttpsAgent, request as requestSecurely } from 'node:https';
import { text } from 'node:stream/consumers';

/**
 * Posts JSON, many times a second, to one server that is near.
 *
 * It takes less than half the time that `fetch` takes of the process, which is most of what such a
 * small request costs.
 */
export class JsonPoster {
  private readonly agent: HttpAgent;
  private readonly isSecure: boolean;

  constructor(private readonly base: URL) {
    this.isSecure = base.protocol === 'https:';
    this.agent = this.isSecure
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true });
  }

  /** @throws Error unless it is answered with 200 within the limit. */
  async post(path: string, body: string, limitMs: number): Promise<unknown> {
    const { pathname } = this.base;
    const sent = (this.isSecure ? requestSecurely : request)(this.base, {
      method: 'POST',
      path: `${pathname.replace(/\/$/, '')}${path}`,
      agent: this.agent,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    });
    const timer = setTimeout(() => {
      // What has come while this process was busy with something else has come in time.
      setImmediate(() => sent.destroy(new Error(`There was no answer within ${limitMs} ms.`)));
    }, limitMs);
    try {
      sent.end(body);
      const response = await answerTo(sent);
      const content = await text(response);
      if (response.statusCode !== 200) {
        throw new Error(`It was answered with ${response.statusCode ?? 0}.`);
      }
      return JSON.parse(content);
    } finally {
      clearTimeout(timer);
    }
  }
}

function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    sent.on('response', resolve).on('error', reject);
  });
}
