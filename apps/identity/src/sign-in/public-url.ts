/** The address at which browsers reach Soma. */
export class PublicUrl {
  readonly origin: string;
  /** Whether cookies may go over encrypted connections alone. */
  readonly isSecure: boolean;

  constructor(url: string) {
    const { origin, protocol } = new URL(url);
    this.origin = origin;
    this.isSecure = protocol === 'https:';
  }
}
