/** The command as a person or a script uses it: real processes, real files, real signals. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Ended, home, MAIN, millrace, NODE, project, start } from './command.fixture.ts';

describe('a scaffolded project', () => {
  test('runs, is asked from beside, stops when asked, and its files can be read after', async (t) => {
    const made = await millrace(home, ['new', 'app']);
    assert.deepEqual([made.code, made.stderr], [0, '']);
    assert.match(made.stdout, /npm install/);
    const app = project('app');
    assert.equal(JSON.parse(readFileSync(join(app, 'package.json'), 'utf8')).dependencies.millrace, '^0.1.0');

    const run = start(t, app, [...NODE, MAIN, 'run', 'src/sensors.ts', '--metrics-port', '0']);
    await run.shown(/alert: device-1 at/);

    const [status, consumed, produced, second] = await Promise.all([
      millrace(app, ['status', '--json']),
      millrace(app, ['consume', 'alerts', '--max', '1', '--json']),
      millrace(app, ['produce', 'readings'], 'no json\n'),
      millrace(app, ['run', 'src/sensors.ts']),
    ]);
    assert.equal(JSON.parse(status.stdout).metrics.state, 'active');
    assert.equal(JSON.parse(JSON.parse(consumed.stdout).value).device, 'device-1');
    assert.equal(produced.code, 0);
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`in use by process ${run.child.pid}.+--data DIR`));
    assert.doesNotMatch(second.stderr, /^\s+at /m);

    const [url] = await run.shown(/http:\S+\/metrics/);
    assert.match(await (await fetch(url)).text(), /^millrace_emitted_total\{.*component="detect".*\} [1-9]/m);
    const health = await fetch(url.replace(/metrics$/, 'health'));
    assert.deepEqual([health.status, ((await health.json()) as { state: string }).state], [200, 'active']);
    const replay = await millrace(app, ['ledger', 'replay', '--all', '--cause', 'malformed', '--json']);
    assert.equal(replay.code, 1);
    assert.match(JSON.parse(replay.stdout)[0].error, /still cannot be read/);

    run.child.kill('SIGINT');
    const ended = await run.ended;
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(
      ended.stderr,
      /topology +sensors.*\ndata .+\nguarantee +simulation → record +exactly-once\n +readings → alerts +exactly-once\n +readings → print +at-least-once: sink 'print' adds at once.*\ncheckpoint every 100ms; the last 3 are kept\n/,
    );
    assert.match(ended.stderr, /stopping: .+\nstopped after .+\n1 record went to the ledger/);

    const described = await millrace(app, ['topics', 'describe', 'readings', '--json']);
    const { groups, partitions } = JSON.parse(described.stdout);
    assert.ok(partitions.length === 2 && partitions[0].latest > 16);
    // What the last epoch has put into the topic is for the next start: 20 readings a second, ten epochs.
    const behind = groups[0].lag.reduce((sum: number, { lag }: { lag: number }) => sum + lag, 0);
    assert.ok(behind <= 20, `${behind} behind`);
  });
});

const numbers = (body: string) => `
import { generatorSpout, bolt, asyncBolt, topology, type } from 'millrace';
import { stdoutSink } from 'millrace/file';
import { run, screen } from 'millrace/engine';
function* some() { for (let n = 1; n <= 3; n++) yield n; }
export default topology('numbers', (t) => {
  const { times } = t.config(type<{ times: number }>());
  const raw = t.spout('some', generatorSpout(some));
  ${body}
});
`;

describe('a run', () => {
  test('ends by itself with its module started directly, prints plainly, and keeps its notices off standard output', async (t) => {
    const text = numbers(`
  const shown = t.bolt('show', raw.global(), bolt({ emits: type<number>(), prepare: ({ emit, use }) => {
    const view = use(screen);
    return { execute(n: number) { view.set('n', ['\\x1b[1mnumbers\\x1b[0m', 'last ' + n]); emit(n * 10); } };
  } }));
  t.sink('out', shown.shuffle(), stdoutSink());`);
    const folder = project('direct', {
      'm.ts': `${text}\nif (import.meta.main) await run(import.meta.url, { fresh: true });\n`,
    });
    const { code, stdout, stderr } = await start(t, folder, [...NODE, 'm.ts']).ended;
    assert.equal(code, 0, stderr);
    assert.deepEqual(stdout.trim().split('\n').sort(), ['10', '20', '30', 'last 1', 'last 2', 'last 3', 'numbers']);
    assert.match(stderr, /data +\.millrace\n.*\n?completed after/s);
  });

  test("that cannot finish is left at the second signal with 130; what it leaves behind is in nobody's way", async (t) => {
    const stuck = `t.bolt('stuck', raw.shuffle(), asyncBolt({ concurrency: 1, execute: () => new Promise<number>(() => {}) }));`;
    const folder = project('stuck', { 'm.ts': numbers(stuck) });
    // Too long for a socket's path.
    const data = join(folder, 'd'.repeat(100));
    const run = start(t, folder, [...NODE, MAIN, 'run', 'm.ts', '--data', data, '--json']);
    await run.shown(/"event":"starting"/);
    let status: Ended;
    do status = await millrace(folder, ['status', '--data', data, '--json']);
    while (status.code !== 0);
    assert.equal(
      JSON.parse(status.stdout).metrics.components.find((c: { kind: string }) => c.kind === 'spout').pending,
      3,
    );
    run.child.kill('SIGINT');
    await run.shown(/"event":"stopping"/);
    const again = setInterval(() => run.child.kill('SIGINT'), 150);
    const { code, stderr } = await run.ended;
    clearInterval(again);
    assert.equal(code, 130);
    for (const line of stderr.trim().split('\n')) assert.ok(JSON.parse(line).event);
    assert.equal((await millrace(folder, ['status', '--data', data])).code, 1);
    assert.equal((await millrace(folder, ['topics', 'list', '--data', data])).code, 0);
  });

  test('that is stopped while it starts ends in good order', { timeout: 30_000 }, async (t) => {
    const slow = `
import { spout, sink, topology, type } from 'millrace';
const idle = spout({ emits: type<number>(), open: () => ({ nextTuple: () => false }) });
const opening = sink({
  mode: 'append',
  batch: { size: 1, every: 0 },
  async open() {
    console.log('opening');
    const alive = setInterval(() => {}, 1000);
    await new Promise((signalled) => process.once('SIGINT', signalled));
    clearInterval(alive);
    return { write() {} };
  },
});
export default topology('slow', (t) => t.sink('out', t.spout('idle', idle).shuffle(), opening));
`;
    const run = start(t, project('slow', { 'm.ts': slow }), [...NODE, MAIN, 'run', 'm.ts']);
    await run.shown(/opening/);
    run.child.kill('SIGINT');
    await run.shown(/stopping: /);
    const { code, stderr } = await run.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /stopped after/);
  });

  test('that fails says why, with the frames of the user and the values at hand, and exits with 1', async () => {
    const fails = `
  const bad = (n: number) => { if (n === 2) throw new RangeError('too even'); };
  t.bolt('odd', raw.shuffle(), bad, { onError: { retries: 0, exhausted: 'stop' } });`;
    const folder = project('fails', { 'm.ts': numbers(fails), 'bad.json': '{' });
    const [user, config, missing] = await Promise.all([
      millrace(folder, ['run', 'm.ts', '--quiet']),
      millrace(folder, ['run', 'm.ts', '--config', 'bad.json']),
      millrace(folder, ['run', 'n.ts']),
    ]);
    assert.deepEqual([user.code, config.code, missing.code], [1, 1, 1]);
    assert.match(
      user.stderr,
      /^error: 'odd' task \d failed: too even \(value: 2\) \[MR_USER_CODE\]\n {4}at .*m\.ts:\d+:\d+\)?\n$/,
    );
    assert.match(config.stderr, /^error: the config from bad\.json cannot be used/);
    assert.match(missing.stderr, /^error: there is no file n\.ts/);
  });
});

describe('commands without a running topology', () => {
  test('open the files themselves, one after the other, and end quietly when their reader is gone', async (t) => {
    const folder = project('alone');
    const [none, usage, separator] = await Promise.all([
      millrace(folder, ['topics', 'list']),
      millrace(folder, ['topics', 'create', 'a', '--partitions', 'x']),
      millrace(folder, ['consume', 'a', '--format', '%z']),
    ]);
    assert.deepEqual([none.code, usage.code, separator.code], [1, 2, 2]);
    assert.match(none.stderr, /there is no data directory/);
    assert.equal((await millrace(folder, ['topics', 'create', 'a', '--partitions', '2'])).code, 0);
    const lines = Array.from({ length: 3000 }, (_, n) => `k${n % 7}:value ${n}`).join('\n');
    const made = await millrace(folder, ['produce', 'a', '--key-separator', ':', '--header', 'h=1', '--json'], lines);
    assert.equal(JSON.parse(made.stdout).records, 3000);
    const command = [...NODE, MAIN].join(' ');
    const pipe = `${command} consume a | head -1; echo "\${PIPESTATUS[0]}"`;
    const through = `${command} topics create b && ${command} consume a --max 5 --format '%k=%v\\n' | ${command} produce b --key-separator =`;
    const [head, piped] = [
      await start(t, folder, ['bash', '-c', pipe]).ended,
      await start(t, folder, ['bash', '-c', through]).ended,
    ];
    assert.match(head.stdout, /^value \d+\n0\n$/);
    assert.equal(head.stderr, '');
    assert.match(piped.stderr, /5 records to b/);
    const copied = await millrace(folder, ['consume', 'b', '--json']);
    assert.match(JSON.parse(copied.stdout.split('\n')[0]!).key, /^k\d$/);
    const nulls = ['produce', 'b', '--key-separator', ':', '--null', 'NULL', '--partition', '0'];
    assert.equal((await millrace(folder, nulls, 'n:NULL\nn:\nn:NULL!\n')).code, 0);
    const last = await millrace(folder, ['consume', 'b', '--json']);
    const values = last.stdout.trim().split('\n').slice(-3);
    assert.deepEqual(
      values.map((line) => JSON.parse(line).value),
      [null, '', 'NULL!'],
    );
  });
});

test('help whose reader has gone is no error', async (t) => {
  const { child, ended } = start(t, home, [...NODE, MAIN, '--help']);
  child.stdout?.destroy();
  const { code, stderr } = await ended;
  assert.deepEqual({ code, stderr }, { code: 0, stderr: '' });
});

test('a topology whose reader has gone stops in good order', async (t) => {
  const endless = `
import { generatorSpout, topology } from 'millrace';
import { stdoutSink } from 'millrace/file';
function* all() { for (let n = 1; ; n++) yield n; }
export default topology('endless', (t) => {
  t.sink('out', t.spout('all', generatorSpout(all, { rate: 200 })).shuffle(), stdoutSink({ format: String }));
});
`;
  const folder = project('endless', { 'endless.ts': endless });
  const run = start(t, folder, [...NODE, MAIN, 'run', 'endless.ts']);
  await run.shown(/^2$/m);
  run.child.stdout?.destroy();
  const { code, stderr } = await run.ended;
  assert.equal(code, 0);
  assert.match(stderr, /stopping: nobody reads the output any more\nstopped after/);
});
