/** Checkpoints from the command line: a process is killed, changed, taken back, and what comes out agrees. */
import assert from 'node:assert/strict';
import { readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { describe, test } from 'node:test';
import { MAIN, millrace, NODE, project, start } from '../command.fixture.ts';

const counting = (counter: string, more = '') => `
import { bolt, generatorSpout, reducing, topology, type, value } from 'millrace';
import { json, topic, topicSink } from 'millrace/topic';
type Count = { word: string; n: number };
const counts = topic('counts', { value: json(type<Count>()), key: (c: Count) => c.word });
function* words() { for (let i = 0; ; i++) yield 'abc'[i % 3]!; }
const count = bolt({
  emits: type<Count>(),
  state: { n: reducing(0, (a: number, b: number) => a + b), ${more} },
  prepare: ({ state, emit }) => ({
    execute(word: string) {
      state.n.add(1);
      emit({ word, n: state.n.get() });
    },
  }),
});
export default topology('wc', (t) => {
  const word = t.spout('words', generatorSpout(words, { rate: 200 }));
  t.sink('out', t.bolt('${counter}', word.keyBy((w) => w), count).shuffle(), topicSink(counts));
});
`;

interface Count {
  readonly word: string;
  readonly n: number;
}

/** All that is in the topic; of each word the counts must be 1, 2, 3, … */
async function published(folder: string): Promise<number> {
  const { stdout } = await millrace(folder, ['consume', 'counts', '--json']);
  const counts = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(JSON.parse(line).value) as Count);
  const last = new Map<string, number>();
  for (const { word, n } of counts) {
    assert.equal(n, (last.get(word) ?? 0) + 1, `${word} ${n} after ${last.get(word)}`);
    last.set(word, n);
  }
  return counts.length;
}

/** Waits until so many checkpoints are kept. */
async function keeping(t: TestContext, folder: string, count: number) {
  for (;;) {
    t.signal.throwIfAborted();
    const { stdout } = await millrace(folder, ['checkpoints', '--json']);
    const [found] = JSON.parse(stdout);
    if (found?.kept.length >= count) return found;
  }
}

const run = (...options: string[]) => [...NODE, MAIN, 'run', 'm.ts', '--no-kafka', ...options];

describe('a topology with state', () => {
  test('goes on after kill -9, under other names, and from a savepoint, and says beforehand what it takes over', {
    timeout: 60_000,
  }, async (t) => {
    const folder = project('checkpoints', { 'm.ts': counting('count') });
    const first = start(t, folder, run('--metrics-port', '0', '--checkpoint-interval', '50ms', '--retain', '9'));
    const [url] = await first.shown(/http:\S+\/metrics/);
    const { topology, kept, status } = await keeping(t, folder, 9);
    assert.deepEqual([topology, kept[0].finished, status.interval, status.incarnation], ['wc', false, 50, 1]);
    assert.ok(kept[0].sources.words.generator > 0 && kept[0].keys > 0 && kept[0].outputs.out > 0);
    const [shown, state, saved, metrics] = await Promise.all([
      millrace(folder, ['checkpoints']),
      millrace(folder, ['status']),
      millrace(folder, ['savepoint', 'saved', '--json']),
      fetch(url).then((answer) => answer.text()),
    ]);
    assert.match(
      shown.stdout,
      /^wc makes a checkpoint every 50ms\nCHECKPOINT .+\n1\.\d+ .+[\s\S]+since its start: \d+ checkpoints, 0 failed/,
    );
    assert.match(state.stdout, /^wc is active for .+ · exactly-once · .+\ncheckpoint 1\.\d+ \d+ms ago, in /);
    assert.equal(JSON.parse(saved.stdout).directory, join(folder, 'saved'));
    assert.match(metrics, /^millrace_checkpoints_completed_total\{topology="wc"\} [1-9]/m);
    first.child.kill('SIGKILL');
    await first.ended;

    const second = start(t, folder, run('--json'));
    await second.shown(/restored checkpoint 1\.\d+ of .+ 3 keys/);
    const starting = JSON.parse((await second.shown(/^.*"event":"starting".*$/m))[0]);
    assert.deepEqual([starting.receipt.keeps, starting.checkpoints], ['checkpoints', { interval: 100, retain: 3 }]);
    second.child.kill('SIGINT');
    assert.equal((await second.ended).code, 0);
    const before = await published(folder);
    assert.ok(before > 0);

    writeFileSync(join(folder, 'm.ts'), counting('tally', 'max: value(0)'));
    const [dry, named, refused, weaker, again, typo, over] = await Promise.all([
      millrace(folder, ['run', 'm.ts', '--dry-run']),
      millrace(folder, ['run', 'm.ts', '--dry-run', '--rename', 'count=tally', '--json']),
      start(t, folder, run()).ended,
      start(t, folder, run('--guarantee', 'at-most-once', '--data', 'none', '--from', 'saved')).ended,
      millrace(folder, ['run', 'm.ts', '--dry-run', '--from', 'saved', '--rename', 'count=tally']),
      millrace(folder, ['run', 'm.ts', '--dry-run', '--from', '1.1']),
      millrace(folder, ['savepoint', 'saved']),
    ]);
    assert.equal(dry.code, 1);
    assert.match(dry.stdout, /^tally +new +begins empty$/m);
    assert.match(dry.stdout, /^count +MISSING/m);
    assert.match(dry.stderr, /the state of 'count'; .+--rename count=NEW.+\[MR_CHECKPOINT_COMPONENT\]/);
    assert.equal(named.code, 0);
    const tally = JSON.parse(named.stdout).components[1];
    assert.deepEqual([tally.component, tally.from, tally.keys, tally.parts[1].fate], ['tally', 'count', 3, 'new']);
    assert.deepEqual([refused.code, weaker.code, typo.code, over.code], [1, 1, 1, 1]);
    assert.match(refused.stderr, /MR_CHECKPOINT_COMPONENT/);
    assert.match(weaker.stderr, /MR_NO_CHECKPOINTS/);
    assert.match(again.stdout, /published a second time, of these checkpoints alone: 'out' \d+\.$/m);
    assert.match(typo.stderr, /has no checkpoint 1\.1; these are kept: 2\.\d+, .+\[MR_NO_CHECKPOINT\]/);
    assert.match(over.stderr, /MR_SAVEPOINT_EXISTS/);

    const third = start(t, folder, run('--rename', 'count=tally'));
    await third.shown(/restored checkpoint 2\.\d+/);
    third.child.kill('SIGINT');
    assert.equal((await third.ended).code, 0);
    assert.ok((await published(folder)) >= before);

    const fourth = start(t, folder, run('--from', 'saved', '--rename', 'count=tally'));
    await fourth.shown(new RegExp(`restored checkpoint ${JSON.parse(saved.stdout).checkpoint.replace('.', '\\.')} `));
    const isTwice = () =>
      published(folder).then(
        () => false,
        () => true,
      );
    while (!(await isTwice())) t.signal.throwIfAborted();
    fourth.child.kill('SIGINT');
    assert.equal((await fourth.ended).code, 0);
  });
});

test('a checkpoint that was damaged stops the start, and what the message says to do goes on', {
  timeout: 60_000,
}, async (t) => {
  const folder = project('damaged', { 'm.ts': counting('count') });
  const first = start(t, folder, run());
  await first.shown(/checkpoint every/);
  await keeping(t, folder, 3);
  first.child.kill('SIGKILL');
  await first.ended;
  const checkpoints = join(folder, '.millrace', 'checkpoints', 'wc');
  const newest = readdirSync(checkpoints)
    .filter((name) => name.endsWith('.checkpoint'))
    .sort()
    .at(-1)!;
  truncateSync(join(checkpoints, newest), 50);

  const [refused, listed] = [await start(t, folder, run()).ended, await millrace(folder, ['checkpoints'])];
  assert.equal(refused.code, 1);
  const [, epoch] = /--from (1\.\d+) goes on from the newest older one .+\[MR_CHECKPOINT_CORRUPT\]/.exec(
    refused.stderr,
  )!;
  assert.match(
    listed.stdout,
    /^CHECKPOINT.+\n1\.\d+ [\s\S]+^The next start is refused: checkpoint 1\.\d+ was completed/m,
  );
  assert.equal((await millrace(folder, ['run', 'm.ts', '--dry-run', '--from', epoch!])).code, 0);
  const again = start(t, folder, run('--from', epoch!));
  await again.shown(new RegExp(`restored checkpoint ${epoch!.replace('.', '\\.')} `));
  again.child.kill('SIGINT');
  assert.equal((await again.ended).code, 0);
});

describe('the command line refuses', () => {
  test('a guarantee that a path cannot give, and checkpoints that cannot be, before anything is made', {
    timeout: 60_000,
  }, async (t) => {
    const printing = `import { stdoutSink } from 'millrace/file';${counting('count')}`;
    const folder = project('refuses', {
      'm.ts': printing.replace('topicSink(counts)', 'stdoutSink({ format: String })'),
    });
    const [receipt, exact, exactRun, interval, rename, none, savepoint] = await Promise.all([
      millrace(folder, ['receipt', 'm.ts', '--json']),
      millrace(folder, ['receipt', 'm.ts', '--guarantee', 'exactly-once']),
      start(t, folder, run('--guarantee', 'exactly-once')).ended,
      start(t, folder, run('--checkpoint-interval', 'often')).ended,
      start(t, folder, run('--rename', 'count')).ended,
      millrace(folder, ['run', 'm.ts', '--dry-run']),
      millrace(folder, ['savepoint']),
    ]);
    assert.deepEqual(
      JSON.parse(receipt.stdout).paths.map(({ end, guarantee }: { end: string; guarantee: string }) => [
        end,
        guarantee,
      ]),
      [['out', 'at-least-once']],
    );
    for (const { code, stderr } of [exact, exactRun]) {
      assert.equal(code, 1);
      assert.match(
        stderr,
        /^error: 'wc' cannot run with exactly-once: words → out: sink 'out' adds .+\[MR_GUARANTEE\]\n$/,
      );
    }
    assert.deepEqual([interval.code, rename.code, none.code, savepoint.code], [2, 2, 0, 1]);
    assert.match(interval.stderr, /It must be a duration such as '250ms'/);
    assert.match(rename.stderr, /write --rename old=new/);
    assert.match(none.stdout, /wc has no checkpoint yet: it would begin from nothing/);
    assert.match(savepoint.stderr, /MR_NO_DATA/);
  });
});
