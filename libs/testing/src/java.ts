/** Apache Kafka 4 runs on no older one. */
const OLDEST_JAVA = 17;

/** What of the two the machine has. */
export interface JavaInstallation {
  /** What `java -version` prints; `undefined` where there is no Java. */
  version: string | undefined;
  /** Whether Maven is there, or not needed because all is downloaded. */
  maven: boolean;
}

/** What to install before Kafka can run, in one sentence; `undefined` where nothing is missing. */
export function missingForKafka({ version, maven }: JavaInstallation): string | undefined {
  const release = releaseOf(version ?? '');
  const needed = [
    ...(release >= OLDEST_JAVA ? [] : [`Java ${OLDEST_JAVA} or newer${found(release)}`]),
    ...(maven ? [] : ['Maven']),
  ];
  if (needed.length === 0) return undefined;
  return `${needed.join(' and ')} must be installed to run Apache Kafka: on Debian and Ubuntu "apt-get install default-jre-headless maven", on macOS "brew install openjdk maven".`;
}

/** 8 of `java version "1.8.0_392"`, 21 of `openjdk version "21.0.4" 2024-07-16`; 0 where there is none. */
function releaseOf(version: string): number {
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(version) ?? [];
  return Number((first === '1' ? second : first) ?? 0);
}

function found(release: number): string {
  return release === 0 ? '' : ` (here is ${release})`;
}
