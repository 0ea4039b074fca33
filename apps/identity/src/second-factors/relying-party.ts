/** For whom passkeys are: an authenticator signs for this origin and no other. */
export class RelyingParty {
  /** The name of the host, without a port (WebAuthn §5.1.2). */
  readonly id: string;
  readonly origin: string;
  readonly name = 'Soma';

  /** @param publicUrl - The address at which browsers reach Soma. */
  constructor(publicUrl: string) {
    const { hostname, origin } = new URL(publicUrl);
    this.id = hostname;
    this.origin = origin;
  }
}
