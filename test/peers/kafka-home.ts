/**
 * A folder laid out as Apache Kafka's distribution is, for programs that want `$KAFKA_PATH`: the jars that Maven brought
 * under `libs/`, and of `bin/` what runs a class, makes topics and sets access control.
 */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { classPath } from './java.ts';

const runClass = `#!/bin/sh
home=$(dirname "$0")/..
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Dorg.slf4j.simpleLogger.defaultLogLevel=error \\
  -cp "$CLASSPATH:$home/libs/*" "$@"
`;
const command = (name: string) => `#!/bin/sh
exec "$(dirname "$0")/kafka-run-class.sh" org.apache.kafka.tools.${name} "$@"
`;
const scripts = {
  'kafka-run-class.sh': runClass,
  'kafka-topics.sh': command('TopicCommand'),
  'kafka-acls.sh': command('AclCommand'),
};

/** Needs Java and Maven: ask `whyNoJava('tools')` first. */
export function layKafkaHome(folder: string): void {
  mkdirSync(join(folder, 'libs'), { recursive: true });
  mkdirSync(join(folder, 'bin'), { recursive: true });
  for (const jar of classPath('tools').split(':')) symlinkSync(jar, join(folder, 'libs', basename(jar)));
  for (const [name, script] of Object.entries(scripts)) {
    const file = join(folder, 'bin', name);
    writeFileSync(file, script);
    chmodSync(file, 0o755);
  }
}
