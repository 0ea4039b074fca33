import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A key with a certificate that it signed itself. */
export interface OwnCertificate {
  /** As `tls.createServer` takes it. */
  pfx: Buffer;
  passphrase: string;
  /** Whoever trusts this trusts the server. */
  certificate: string;
}

/** Java's own tool makes it, which is there for Kafka. */
export async function ownCertificate(hostname: string): Promise<OwnCertificate> {
  const directory = await mkdtemp(join(tmpdir(), 'soma-certificate-'));
  try {
    const [store, file] = [join(directory, 'own.p12'), join(directory, 'own.pem')];
    const passphrase = 'throwaway';
    const opened = ['-keystore', store, '-storepass', passphrase, '-alias', 'own'];
    await promisify(execFile)('keytool', [
      ...['-genkeypair', ...opened, '-storetype', 'PKCS12', '-keyalg', 'EC', '-validity', '1'],
      ...['-dname', `CN=${hostname}`, '-ext', `san=dns:${hostname}`],
      ...['-ext', 'bc:critical=ca:true'],
    ]);
    await promisify(execFile)('keytool', ['-exportcert', ...opened, '-rfc', '-file', file]);
    return { pfx: await readFile(store), passphrase, certificate: await readFile(file, 'utf8') };
  } finally {
    await rm(directory, { recursive: true });
  }
}
