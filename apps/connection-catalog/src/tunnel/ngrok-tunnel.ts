import type { Session } from '@ngrok/ngrok';
import type { Secret } from '@soma/kernel';
import { type OpenTunnel, TunnelFailure, type TunnelProvider } from './tunnel-provider.ts';

/** How ngrok is reached, and where its tunnel leads. */
export interface NgrokOptions {
  authtoken: Secret;
  targetUrl: string;
  /** `host:port` of ngrok's server. Default: ngrok's own. */
  server?: string;
}

/** ngrok's agent, which runs within this process and ends with it. */
export function ngrokProvider(options: NgrokOptions): TunnelProvider {
  return {
    name: 'ngrok',
    open: async (signal) => {
      const opening = openTunnel(options);
      const given = Promise.withResolvers<never>();
      const giveUp = (): void => {
        given.reject(new TunnelFailure('ngrok did not open a tunnel in time.'));
        // It may still come; nobody wants it then.
        void opening.then(({ close }) => close()).catch(() => undefined);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      try {
        return await Promise.race([opening, given.promise]);
      } finally {
        signal.removeEventListener('abort', giveUp);
      }
    },
  };
}

async function openTunnel({ authtoken, targetUrl, server }: NgrokOptions): Promise<OpenTunnel> {
  // Its native part is loaded by those alone who want a tunnel.
  const { SessionBuilder } = await import('@ngrok/ngrok');
  const builder = new SessionBuilder().authtoken(authtoken.reveal());
  if (server !== undefined) {
    builder.serverAddr(server);
  }
  const session = await builder.connect().catch(fail);
  try {
    return await listen(session, targetUrl);
  } catch (error) {
    await session.close();
    return fail(error);
  }
}

async function listen(session: Session, targetUrl: string): Promise<OpenTunnel> {
  const listener = await session.httpEndpoint().listenAndForward(targetUrl);
  const publicUrl = listener.url();
  if (publicUrl === null) {
    throw new Error('it named no address');
  }
  return {
    publicUrl,
    // It reconnects by itself for as long as this process lives.
    ended: new Promise<string>(() => undefined),
    close: async () => {
      try {
        await listener.close();
      } finally {
        await session.close();
      }
    },
  };
}

/** ngrok's messages name an error code of ngrok's, and no token. */
function fail(cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new TunnelFailure(`ngrok refused to open a tunnel: ${reason}.`, { cause });
}
