import { createTransport } from 'nodemailer';
import { type Probe, ProbeFailure, textOf } from '../probe.ts';

/** The port on which TLS comes before everything else (RFC 8314 §3.3). */
const TLS_PORT = 465;
const LIMIT_MS = 10_000;

/** EHLO, STARTTLS and AUTH, and then QUIT: no mail is sent. */
export const probeSmtp: Probe = async ({ fields, credentials }, { outbound, signal }) => {
  const { address, servername, isInternal } = await outbound.resolveSafely(
    textOf(fields, 'host') ?? '',
  );
  const { port } = fields as { port?: number };
  const user = textOf(fields, 'username');
  const pass = credentials.get('password')?.reveal() ?? '';
  const transport = createTransport({
    ...{ host: address, port: port ?? 587, secure: port === TLS_PORT },
    // Outside of the operator's own network nobody shall read a password on its way.
    requireTLS: !isInternal,
    ...(servername !== undefined && { tls: { servername } }),
    ...(user !== undefined && { auth: { user, pass } }),
    ...{ connectionTimeout: LIMIT_MS, greetingTimeout: LIMIT_MS, socketTimeout: LIMIT_MS },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  });
  signal.addEventListener('abort', () => {
    transport.close();
  });
  try {
    return await transport.verify();
  } catch (error) {
    throw failureOf(error);
  } finally {
    transport.close();
  }
};

/** https://nodemailer.com/errors */
function failureOf(error: unknown): unknown {
  switch ((error as { code?: unknown }).code) {
    case 'EAUTH':
    case 'ENOAUTH':
      return new ProbeFailure('credential_refused', error);
    case 'ETLS':
    case 'EREQUIRETLS':
      return new ProbeFailure('tls_refused', error);
    case 'EPROTOCOL':
      return new ProbeFailure('unexpected_answer', error);
    default:
      return error;
  }
}
