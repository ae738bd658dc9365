/** The page of docs about librdkafka's test suite: the counts, then every test with what became of it. */
import { librdkafkaSource, librdkafkaVersion, type SuiteTest } from '../peers/librdkafka.ts';
import type { Outcome } from './librdkafka-run.ts';

export interface Judged {
  readonly test: SuiteTest;
  readonly ours?: Outcome;
  readonly kafka?: Outcome;
  /** Why it fails on ours, where that is known. */
  readonly cause: string | undefined;
}

/** What the suite's own words for a skip mean here. */
const meanings: readonly (readonly [RegExp, string])[] = [
  [/not applicable for broker version/, 'share groups (KIP-932), which the broker does not serve'],
  [/negative test flags/, 'a known issue of librdkafka itself, which its authors leave out too'],
  [/set up for SASL/, 'takes every cluster for one with SASL, as `sasl.mechanism` has a default'],
  [/SSL_\* env-vars/, 'TLS, which the broker does not serve yet'],
  [/SASL/, 'SASL, which the broker does not serve yet'],
  [/broker\.rack/, 'wants three brokers in three racks'],
  [/RapidJSON/, 'wants the headers of RapidJSON where the suite is built'],
];

/** `kafka` is its version, or why it did not run. */
export function pageOf(all: readonly Judged[], kafka: string): string {
  const asked = all.filter(({ test }) => !test.local && !test.manual);
  const count = (state: Outcome['state']) => asked.filter(({ ours }) => ours?.state === state).length;
  const skippedParts = asked.flatMap(({ ours }) => ours?.skippedParts ?? []);
  const parts = asked.reduce((sum, { ours }) => sum + (ours?.parts ?? 0), 0);
  const local = all.filter(({ test }) => test.local && !test.manual).map(({ test }) => test.name);
  const manual = all.filter(({ test }) => test.manual).map(({ test }) => test.name);
  return `# librdkafka's own test suite

librdkafka ${librdkafkaVersion()} is the client under kcat and under Confluent's clients for Python, Go, .NET and JavaScript.
Its authors' tests, as they stand in ${librdkafkaSource}, run against the embedded broker, each in a process of its own and in
full, and against a single Apache Kafka (${kafka}) in the same way. Groups are
those of the classic protocol: the tests can be told to use that of KIP-848, which the broker does not serve yet.

| outcome | tests |
|---|---|
| passed | ${count('passed')} |
| skipped, for the reason beside it | ${count('skipped')} |
| failing, for the cause beside it | ${count('failed')} |
| not run: they talk to librdkafka's built-in mock cluster, or to nobody | ${local.length} |
| not run: they are started by hand, and judge nothing by themselves | ${manual.length} |

Of the parts that tests report by themselves ${parts} passed and ${skippedParts.length} were skipped. A test that failed was tried once
more, its parts one by one where it has parts: some hold times against limits, which a busy machine does not keep.

This page is made by \`npm run judges:librdkafka -- --write\`, which builds the suite first (it wants npm, make, a C++
compiler, Python and, for five of the tests, the headers of RapidJSON) and takes half an hour; it is no part of
\`npm test\`.

## Tests that talk to a broker

| test | here | Apache Kafka | seconds | |
|---|---|---|---|---|
${asked.map(row).join('\n')}

## Tests that do not use a broker

${named(local)}.

## Tests that are started by hand

${named(manual)}.
`;
}

const named = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(', ');

function row({ test, ours, kafka, cause }: Judged): string {
  const notes: string[] = [];
  if (ours?.state === 'failed')
    notes.push((cause ?? ours.why) + (ours.parts > 0 ? `; ${ours.parts} of its parts pass` : ''));
  if (ours?.state === 'skipped') notes.push(meaningOf(ours.why));
  if (ours?.state === 'passed' && ours.firstTry !== undefined) notes.push(`at the first try: ${ours.firstTry}`);
  if (kafka?.state === 'failed') notes.push(`on Apache Kafka: ${kafka.why}`);
  const parts = ours?.skippedParts ?? [];
  if (parts.length > 0) notes.push(`skips ${parts.map(partOf).join('; ')}`);
  const cells = [test.name, ours?.state ?? '', kafka?.state ?? '', ours?.seconds.toFixed(0) ?? '', notes.join('. ')];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function partOf(skipped: string): string {
  const [part = '', ...why] = skipped.split(': ');
  return `${part}: ${meaningOf(why.join(': '))}`;
}

function meaningOf(why: string): string {
  return meanings.find(([pattern]) => pattern.test(why))?.[1] ?? why;
}
