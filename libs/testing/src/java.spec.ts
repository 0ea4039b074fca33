import { describe, expect, it } from '@jest/globals';
import { missingForKafka } from './java.ts';

const JAVA_8 = 'java version "1.8.0_392"\nJava(TM) SE Runtime Environment (build 1.8.0_392-b08)';
const JAVA_11 = 'openjdk version "11.0.21" 2023-10-17\nOpenJDK Runtime Environment';
const JAVA_17 = 'Picked up JAVA_TOOL_OPTIONS: -Xmx1g\nopenjdk version "17.0.12" 2024-07-16';
const JAVA_25 = 'openjdk version "25-ea" 2025-09-16';

const HOW =
  'must be installed to run Apache Kafka: on Debian and Ubuntu "apt-get install default-jre-headless maven", on macOS "brew install openjdk maven".';

describe('missingForKafka', () => {
  it('has nothing against Java 17 and newer ones', () => {
    for (const version of [JAVA_17, JAVA_25])
      expect(missingForKafka({ version, maven: true })).toBeUndefined();
  });

  it('says in one sentence what is missing and how to get it', () => {
    expect(missingForKafka({ version: undefined, maven: false })).toBe(
      `Java 17 or newer and Maven ${HOW}`,
    );
    expect(missingForKafka({ version: JAVA_17, maven: false })).toBe(`Maven ${HOW}`);
  });

  it('names a Java that is too old', () => {
    for (const [version, release] of [[JAVA_8, 8] as const, [JAVA_11, 11] as const])
      expect(missingForKafka({ version, maven: true })).toBe(
        `Java 17 or newer (here is ${release}) ${HOW}`,
      );
  });
});
