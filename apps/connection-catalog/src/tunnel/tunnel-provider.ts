import type { TunnelProviderName } from '@soma/contracts';

/** A tunnel that is open. */
export interface OpenTunnel {
  publicUrl: string;
  /** Resolves when it has ended by itself, with a sentence that says how. */
  ended: Promise<string>;
  /** Resolves when nothing comes through it any more. */
  close: () => Promise<void>;
}

/** Opens tunnels. One that it has opened ends with this process, however that ends. */
export interface TunnelProvider {
  name: TunnelProviderName;
  /** @throws {@link TunnelFailure}, also when the signal aborts */
  open: (signal: AbortSignal) => Promise<OpenTunnel>;
}

/** A tunnel could not be opened. The message is a sentence for whoever asked for it. */
export class TunnelFailure extends Error {
  override readonly name = 'TunnelFailure';
}
