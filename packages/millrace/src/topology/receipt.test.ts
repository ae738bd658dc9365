/** What a topology promises follows from what it is made of, and no path promises more than its weakest part. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bolt, flatMap, manualBolt } from './bolt.ts';
import type { PathGuarantee } from './receipt.ts';
import { receiptOf } from './receipt.ts';
import { type } from './schema.ts';
import type { SinkMode } from './sink.ts';
import { sink } from './sink.ts';
import { logSpout, spout } from './spout.ts';
import { value } from './state-spec.ts';
import type { TopologyBuilder } from './topology.ts';
import { topology } from './topology.ts';

const text = type<string>();
const log = logSpout<string>({ emits: text, splits: () => [], open: () => assert.fail() });
const queue = spout({ emits: text, open: () => assert.fail() });
const sinkOf = (mode: SinkMode) =>
  sink<string>({
    batch: { size: 1, every: 0 },
    write: () => {},
    ...(mode === 'transactional' ? { mode, epochs: { open: () => assert.fail() } } : { mode }),
  });
const same = (line: string) => line;
const counting = bolt({ state: { n: value(0) }, emits: text, prepare: () => ({ execute: (_: string) => {} }) });
const ringing = bolt({ timers: { t: 'clock' }, prepare: () => ({ timer: { t() {} }, execute: (_: string) => {} }) });
const manual = manualBolt({ emits: text, prepare: () => ({ execute: (_) => {}, flush() {} }) });

const built = (define: (t: TopologyBuilder) => void) => topology('t', define).build();
function receipt(define: (t: TopologyBuilder) => void, asked?: 'at-most-once' | 'at-least-once' | 'exactly-once') {
  const { keeps, paths } = receiptOf(built(define), asked);
  const ends = paths.map(({ spout, end, guarantee }): [string, PathGuarantee] => [`${spout} → ${end}`, guarantee]);
  const why = paths.flatMap(({ limits }) => limits.map((limit) => limit.why));
  return { keeps, paths: Object.fromEntries(ends), why, all: paths };
}
const into =
  (mode: SinkMode, from = log) =>
  (t: TopologyBuilder) =>
    t.sink('out', t.bolt('middle', t.spout('raw', from).shuffle(), same).shuffle(), sinkOf(mode));

test('how a sink publishes decides what a replayable source comes to', () => {
  const exact = receipt(into('transactional'));
  assert.deepEqual([exact.keeps, exact.paths, exact.why], ['checkpoints', { 'raw → out': 'exactly-once' }, []]);
  assert.deepEqual(exact.all[0]!.components, ['raw', 'middle', 'out']);
  const upsert = receipt(into('upsert'));
  assert.deepEqual([upsert.keeps, upsert.paths], ['acking', { 'raw → out': 'convergent' }]);
  assert.deepEqual(upsert.why, ["sink 'out' writes by key at once"]);
  const append = receipt(into('append'));
  assert.deepEqual([append.keeps, append.paths], ['acking', { 'raw → out': 'at-least-once' }]);
  assert.match(append.why.join(), /^sink 'out' adds at once/);
});

test('a queue gives messages again on their own, so nothing behind it is exact, nor converges', () => {
  for (const mode of ['transactional', 'upsert', 'append'] as const) {
    const { paths, why } = receipt(into(mode, queue as never));
    assert.deepEqual(paths, { 'raw → out': 'at-least-once' }, mode);
    assert.match(why.at(-1)!, /^queue spout 'raw' may give a message again, and loses those without an id$/);
    assert.equal(why.length, mode === 'transactional' ? 1 : 2);
  }
  assert.equal(receipt(into('transactional', queue as never)).keeps, 'acking');
});

test('a manual bolt may fail one record, which then comes behind later ones of its key, unless checkpoints are kept', () => {
  const through = (t: TopologyBuilder) => t.bolt('hold', t.spout('raw', log).shuffle(), manual);
  const alone = (t: TopologyBuilder) => t.sink('out', through(t).shuffle(), sinkOf('upsert'));
  const beside = (t: TopologyBuilder) => {
    const held = through(t);
    t.sink('out', held.shuffle(), sinkOf('upsert'));
    t.sink('exact', held.shuffle(), sinkOf('transactional'));
  };
  assert.deepEqual(receipt(alone).paths, { 'raw → out': 'at-least-once' });
  assert.deepEqual(receipt(beside).paths, { 'raw → out': 'convergent', 'raw → exact': 'exactly-once' });
});

test('what ends in a bolt is exact in its state alone, and the receipt says so', () => {
  const { keeps, paths, all } = receipt((t) => {
    const raw = t.spout('raw', log);
    t.bolt('count', raw.keyBy(same), counting);
    t.bolt('ring', raw.keyBy(same), ringing);
    t.bolt('print', raw.shuffle(), () => {});
  });
  assert.equal(keeps, 'checkpoints');
  assert.deepEqual(paths, {
    'raw → count': 'exactly-once',
    'raw → ring': 'exactly-once',
    'raw → print': 'at-least-once',
  });
  const note = "of its state; what bolt 'count' does to the outside world is under no guarantee";
  assert.deepEqual([all[0]!.note, all[2]!.note], [note, undefined]);
  assert.match(all[2]!.limits[0]!.why, /^'print' ends it without state or a sink/);
});

test('state needs checkpoints, whatever the sinks are, and topologies without either are acked', () => {
  const counted = (t: TopologyBuilder) =>
    t.sink('out', t.bolt('n', t.spout('raw', queue).keyBy(same), counting).shuffle(), sinkOf('append'));
  assert.equal(receipt(counted).keeps, 'checkpoints');
  assert.equal(receipt(counted, 'at-least-once').keeps, 'checkpoints');
  assert.equal(receipt(counted, 'at-most-once').keeps, 'nothing');
  assert.equal(receipt((t) => t.bolt('print', t.spout('raw', log).shuffle(), () => {})).keeps, 'acking');
  assert.equal(receipt(into('transactional'), 'at-least-once').keeps, 'acking');
});

test('asking for less gives less everywhere, and says that it was asked', () => {
  const least = receipt(into('transactional'), 'at-least-once');
  assert.deepEqual([least.paths, least.why], [{ 'raw → out': 'at-least-once' }, ['no more was asked for']]);
  const upsert = receipt(into('upsert'), 'at-least-once');
  assert.deepEqual([upsert.paths, upsert.why], [{ 'raw → out': 'convergent' }, ["sink 'out' writes by key at once"]]);
  for (const mode of ['transactional', 'upsert'] as const) {
    const most = receipt(into(mode), 'at-most-once');
    assert.deepEqual([most.paths, most.why], [{ 'raw → out': 'at-most-once' }, ['no more was asked for']]);
  }
});

test('asking for more than a path can give is refused, with every path and reason', () => {
  assert.equal(receipt(into('transactional'), 'exactly-once').keeps, 'checkpoints');
  const both = built((t) => {
    const raw = t.spout('raw', log);
    t.sink('exact', raw.shuffle(), sinkOf('transactional'));
    t.sink('rows', raw.shuffle(), sinkOf('upsert'));
    t.sink('lines', t.spout('q', queue).shuffle(), sinkOf('append'));
  });
  assert.throws(
    () => receiptOf(both, 'exactly-once'),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'MR_GUARANTEE');
      assert.match(
        error.message,
        /^'t' cannot run with exactly-once: raw → rows: sink 'rows' writes by key at once; q → /,
      );
      assert.match(error.message, /q → lines: sink 'lines' adds at once.+, queue spout 'q' may/);
      assert.doesNotMatch(error.message, /exact:/);
      return true;
    },
  );
});

test('each spout has one path to each end, however many ways there are between', () => {
  const { all } = receipt((t) => {
    const raw = t.spout('raw', log);
    t.spout('unread', log);
    const other = t.spout('other', queue);
    let layer = [raw, other];
    for (let depth = 0; depth < 30; depth++) {
      const inputs = Object.fromEntries(layer.map((stream, i) => [`i${i}`, stream.shuffle()]));
      layer = [0, 1].map((i) =>
        t.bolt(
          `l${depth}-${i}`,
          inputs,
          flatMap((line: string) => [line]),
        ),
      );
    }
    t.sink('out', layer[0]!.shuffle(), sinkOf('transactional'));
    t.sink('side', raw.shuffle(), sinkOf('append'));
  });
  assert.deepEqual(
    all.map(({ spout, end, components }) => [spout, end, components.length]),
    [
      ['raw', 'l29-1', 60],
      ['raw', 'out', 61],
      ['raw', 'side', 2],
      ['other', 'l29-1', 60],
      ['other', 'out', 61],
    ],
  );
});

test('rows of one key that several tasks may write converge only where each key has one of them', () => {
  const spread = (grouped: boolean) => (t: TopologyBuilder) => {
    const raw = t.spout('raw', log);
    t.sink('out', grouped ? raw.keyBy(() => 'k') : raw.shuffle(), sinkOf('upsert'), { parallelism: 2 });
  };
  assert.deepEqual(receipt(spread(true)).paths, { 'raw → out': 'convergent' });
  const mixed = receipt(spread(false));
  assert.deepEqual(mixed.paths, { 'raw → out': 'at-least-once' });
  assert.match(mixed.why.join(), /the 2 tasks of 'out' may write two rows of one key in the wrong order/);
});
