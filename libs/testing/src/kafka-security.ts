import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** The one account of a broker that is reached over TLS. */
export interface KafkaAccount {
  username: string;
  password: string;
}

/** What makes a broker listen over TLS, and ask who is there. */
export interface KafkaSecurity {
  /** Of the certificate that signed the broker's, which is itself. */
  certificate: string;
  properties: Record<string, string>;
  /** For `StorageTool format`: SCRAM's accounts are kept by the cluster. */
  formatArguments: string[];
}

/** Java's own tool makes the key, so that a broker needs nothing else. */
export async function secureKafka(
  directory: string,
  { username, password }: KafkaAccount,
): Promise<KafkaSecurity> {
  const store = join(directory, 'broker.p12');
  const certificateFile = join(directory, 'broker.pem');
  const opened = ['-keystore', store, '-storepass', STORE_PASSWORD, '-alias', 'broker'];
  await promisify(execFile)('keytool', [
    ...['-genkeypair', ...opened, '-storetype', 'PKCS12', '-keyalg', 'EC', '-validity', '1'],
    ...['-dname', 'CN=soma-testing', '-ext', 'san=ip:127.0.0.1', '-ext', 'bc:critical=ca:true'],
  ]);
  await promisify(execFile)('keytool', [
    ...['-exportcert', ...opened, '-rfc', '-file', certificateFile],
  ]);
  return {
    certificate: await readFile(certificateFile, 'utf8'),
    properties: {
      'listener.security.protocol.map':
        'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL',
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.location': store,
      'ssl.keystore.password': STORE_PASSWORD,
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.sasl_ssl.plain.sasl.jaas.config':
        'org.apache.kafka.common.security.plain.PlainLoginModule required ' +
        `user_${username}="${password}";`,
      ...Object.fromEntries(SCRAM.map((mechanism) => [jaasSettingOf(mechanism), SCRAM_MODULE])),
    },
    formatArguments: SCRAM.flatMap((mechanism) => [
      '--add-scram',
      `${mechanism}=[name="${username}",password="${password}"]`,
    ]),
  };
}

/** Of a file that is thrown away with the broker, and whose key nobody trusts elsewhere. */
const STORE_PASSWORD = 'throwaway';
const SCRAM = ['SCRAM-SHA-256', 'SCRAM-SHA-512'];
const SCRAM_MODULE = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';

function jaasSettingOf(mechanism: string): string {
  return `listener.name.sasl_ssl.${mechanism.toLowerCase()}.sasl.jaas.config`;
}
