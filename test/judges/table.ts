/**
 * `npm run judges`: asks the judges and prints what they say. `-- NAME…` asks only those; `-- --kafka` asks them of
 * Apache Kafka instead of our broker; `-- --write` writes the answers of all of them to the page of docs.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startKafka } from '../peers/kafka.ts';
import { startOurs } from '../peers/ours.ts';
import { ask, type Judge, judges, type Verdict } from './judges.ts';

interface Heard {
  readonly judge: Judge;
  /** Why it could not be asked. */
  readonly missing: string | undefined;
  readonly verdicts: readonly Verdict[];
}

const page = join(import.meta.dirname, '../../docs/reference/kafka-clients.md');
const areas = ['produce', 'compression', 'groups', 'admin', 'idempotence', 'transactions', 'times'];

const { values, positionals } = parseArgs({
  options: { kafka: { type: 'boolean', default: false }, write: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const asked = positionals.length === 0 ? judges : judges.filter(({ name }) => positionals.includes(name));
if (asked.length === 0)
  throw new Error(`no judge has that name; there are ${judges.map(({ name }) => name).join(', ')}`);
if (values.write && (values.kafka || positionals.length > 0))
  throw new Error('--write is for all judges of our broker');

const broker = await (values.kafka ? startKafka() : startOurs());
const heard: Heard[] = [];
try {
  for (const judge of asked) {
    const missing = judge.missing();
    const verdicts = missing === undefined ? await ask(judge, broker.bootstrap) : [];
    heard.push({ judge, missing, verdicts });
    console.log(`${judge.name}: ${missing ?? summary(verdicts)}`);
    for (const { check, result, why } of verdicts) if (result !== 'ok') console.log(`  ${result} ${check}: ${why}`);
  }
} finally {
  await broker.stop();
}
if (values.write) writeFileSync(page, pageOf(heard));
if (heard.some(({ verdicts }) => verdicts.some(({ result }) => result === 'not ok'))) process.exitCode = 1;

function summary(verdicts: readonly Verdict[]): string {
  const count = (wanted: Verdict['result']) => verdicts.filter(({ result }) => result === wanted).length;
  return `${count('ok')} passed, ${count('not ok')} failed, ${count('skip')} skipped`;
}

function pageOf(all: readonly Heard[]): string {
  const rows = all.map(({ judge, missing, verdicts }) => {
    const cells = areas.map((area) => cell(verdicts.filter(({ check }) => check.startsWith(`${area}/`))));
    return `| ${judge.name} | ${missing === undefined ? judge.version() : `not tried: ${missing}`} | ${cells.join(' | ')} |`;
  });
  return `# Kafka clients

The embedded broker speaks Kafka's protocol, so any client of Kafka should work with it. These have been tried, each by a
program that uses it as its users do; the same programs pass against Apache Kafka itself.

This page is made by \`npm run judges -- --write\`; the programs are in \`test/judges/\`. *4 of 4* means that four things
were tried and four worked; what was not tried, or did not work, is listed below the table.

| client | version | ${areas.join(' | ')} |
|---|---|${areas.map(() => '---').join('|')}|
${rows.join('\n')}

${all.map(section).join('\n\n')}
`;
}

function cell(verdicts: readonly Verdict[]): string {
  const tried = verdicts.filter(({ result }) => result !== 'skip');
  const worked = tried.filter(({ result }) => result === 'ok');
  return tried.length === 0 ? '' : `${worked.length} of ${tried.length}`;
}

function section({ judge, verdicts }: Heard): string {
  const lines = verdicts.map(({ check, result, why }) => {
    const [, area = '', what = ''] = /^(\w+)\/(.*)$/.exec(check) ?? [];
    const outcome = { ok: '', 'not ok': ` **Does not work**: ${why}`, skip: ` Not tried: ${why}.` }[result];
    return `- ${area}: ${what}.${outcome}`;
  });
  return `## ${judge.name}\n\n${lines.join('\n') || 'Not tried.'}`;
}
