import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { Stream } from '../index.ts';
import {
  asyncBolt,
  bolt,
  direct,
  flatMap,
  list,
  logSpout,
  manualBolt,
  sink,
  spout,
  topology,
  type,
  value,
} from '../index.ts';

interface Reading {
  readonly device: string;
  readonly site: string;
  readonly value: number;
}

const readings = spout({ emits: type<Reading>(), open: () => ({ nextTuple: () => false }) });
const rows = sink({ mode: 'append', batch: { size: 10, every: '1s' }, write: (_: readonly Reading[]) => {} });

test('every grouping is plain data that says how tuples are spread', () => {
  const jobs = spout({ emits: { work: direct(type<Reading>()) }, open: () => ({ nextTuple: () => false }) });
  const device = (r: Reading) => r.device;
  const choose = (r: Reading, tasks: number) => r.site.length % tasks;
  const { plan, components } = topology('groupings', (t) => {
    const raw = t.spout('raw', readings);
    t.bolt('shuffle', raw.shuffle(), device);
    t.bolt('localOrShuffle', raw.localOrShuffle(), device);
    t.bolt('none', raw.none(), device);
    t.bolt('all', raw.all(), device);
    t.bolt('global', raw.global(), device);
    t.bolt('field', raw.fields('device'), device);
    t.bolt('fields', raw.fields('device', 'site'), device);
    t.bolt('keyBy', raw.keyBy(device), device);
    t.bolt('partialKey', raw.partialKey(device), device);
    t.bolt('custom', raw.custom(choose), device);
    t.bolt('direct', t.spout('jobs', jobs).work.direct(), device);
  }).build();
  const grouping = (id: string) => components.get(id)!.inputs[0]!.grouping;
  for (const kind of ['shuffle', 'localOrShuffle', 'none', 'all', 'global', 'direct']) {
    assert.deepEqual(grouping(kind), { kind });
  }
  assert.deepEqual(grouping('field'), { kind: 'fields', fields: ['device'] });
  assert.deepEqual(grouping('fields'), { kind: 'fields', fields: ['device', 'site'] });
  assert.deepEqual(grouping('keyBy'), { kind: 'keyBy', key: device });
  assert.deepEqual(grouping('partialKey'), { kind: 'partialKey', key: device });
  assert.deepEqual(grouping('custom'), { kind: 'custom', choose });
  assert.deepEqual(components.get('direct')!.inputs[0]!.from, { component: 'jobs', stream: 'work' });
  const planned = plan.components.filter((c) => c.kind === 'bolt').map((c) => [c.id, c.inputs[0]!.grouping]);
  for (const [id, kind] of planned) assert.equal(kind, id === 'field' ? 'fields' : id);
});

test('the plan tells spouts, bolts and sinks apart, and what kind of each', () => {
  const positions = logSpout({
    emits: type<Reading>(),
    splits: () => ['0'],
    open: () => ({ seek() {}, pause() {}, resume() {}, next: () => false, async commit() {} }),
  });
  const { plan } = topology('kinds', (t) => {
    const raw = t.spout('queue', readings);
    t.spout('log', positions);
    t.bolt('plain', raw.shuffle(), () => {});
    t.bolt('full', raw.shuffle(), bolt({ prepare: () => ({ execute(_: Reading) {} }) }));
    t.bolt(
      'fan',
      raw.shuffle(),
      flatMap((r) => [r]),
    );
    t.bolt('call', raw.shuffle(), asyncBolt({ concurrency: 1, execute: async (_: Reading) => {} }));
    t.bolt('hold', raw.shuffle(), manualBolt({ prepare: () => ({ execute() {}, flush() {} }) }));
    const batch = { size: 1, every: 0 };
    for (const mode of ['append', 'upsert'] as const) {
      t.sink(mode, raw.shuffle(), sink({ mode, batch, write() {} }));
    }
    const epochs = { open: () => ({ claim: async () => undefined, publish() {} }) };
    t.sink('transactional', raw.shuffle(), sink({ mode: 'transactional', batch, write() {}, epochs }));
  }).build();
  assert.deepEqual(
    plan.components.map(({ id, kind, variant }) => `${id}: ${kind} ${variant}`),
    [
      'queue: spout queue',
      'log: spout log',
      'plain: bolt map',
      'full: bolt bolt',
      'fan: bolt flatMap',
      'call: bolt async',
      'hold: bolt manual',
      'append: sink append',
      'upsert: sink upsert',
      'transactional: sink transactional',
    ],
  );
});

test('the plan is pure data: JSON gives it back equal, and the same config gives the same plan', () => {
  const make = topology('pure', (t) => {
    const { tasks } = t.config(z.object({ tasks: z.number().default(2) }));
    const raw = t.spout('raw', readings, { parallelism: tasks });
    const { odd } = t.bolt(
      'split',
      raw.fields('device', 'site'),
      bolt({
        emits: { odd: type<Reading>(), even: type<Reading>() },
        state: { n: value(0), seen: list(type<number>()) },
        tick: '1m30s',
        prepare: () => ({ execute() {}, tick() {} }),
      }),
    );
    t.bolt('join', { left: raw.keyBy((r) => r.device), right: odd.fields('device') }, () => {}, { tick: 250 });
  });
  const { plan } = make.build({ tasks: 3 });
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
  assert.deepEqual(make.build({ tasks: 3 }).plan, plan);
  assert.notDeepEqual(make.build().plan, plan);
  assert.deepEqual(plan, {
    name: 'pure',
    components: [
      { id: 'raw', kind: 'spout', variant: 'queue', parallelism: 3, streams: ['default'], inputs: [] },
      {
        id: 'split',
        kind: 'bolt',
        variant: 'bolt',
        parallelism: 1,
        tick: 90_000,
        streams: ['odd', 'even'],
        inputs: [{ component: 'raw', stream: 'default', grouping: 'fields', fields: ['device', 'site'] }],
      },
      {
        id: 'join',
        kind: 'bolt',
        variant: 'map',
        parallelism: 1,
        tick: 250,
        streams: ['default'],
        inputs: [
          { name: 'left', component: 'raw', stream: 'default', grouping: 'keyBy' },
          { name: 'right', component: 'split', stream: 'odd', grouping: 'fields', fields: ['device'] },
        ],
      },
    ],
  });
});

test('building runs no user code but define', () => {
  const refuse = (): never => assert.fail('ran while building');
  topology('idle', (t) => {
    const raw = t.spout('raw', spout({ emits: type<Reading>(), open: refuse }));
    const out = t.bolt(
      'b',
      raw.keyBy(refuse as (r: Reading) => string),
      bolt({ emits: type<Reading>(), prepare: refuse }),
    );
    t.bolt('c', out.custom(refuse), refuse as (r: Reading) => string);
    t.sink('s', raw.partialKey(refuse as (r: Reading) => string), rows);
  }).build();
});

test('a graph fans out and in, and is kept in the order of declaration', () => {
  const { components, ends } = topology('diamond', (t) => {
    const a = t.spout('a', readings);
    const b = t.spout('b', readings);
    const left = t.bolt('left', a.shuffle(), (r) => r.value);
    const right = t.bolt('right', a.shuffle(), (r) => r.device);
    const joined = t.bolt('join', { left: left.global(), right: right.global(), b: b.global() }, (any) => String(any));
    t.bolt('end', joined.shuffle(), () => {});
    t.bolt('end2', { once: joined.shuffle(), twice: joined.all() }, () => {});
    return { a, joined };
  }).build();
  assert.deepEqual([...components.keys()], ['a', 'b', 'left', 'right', 'join', 'end', 'end2']);
  assert.deepEqual(
    components.get('join')!.inputs.map(({ name, from }) => [name, from.component]),
    [
      ['left', 'left'],
      ['right', 'right'],
      ['b', 'b'],
    ],
  );
  assert.deepEqual(
    Object.entries(ends).map(([name, { component, stream }]) => [name, component, stream]),
    [
      ['a', 'a', 'default'],
      ['joined', 'join', 'default'],
    ],
  );
});

test('a component of several streams gives them by name, one of none gives nothing', () => {
  let seen: unknown;
  topology('streams', (t) => {
    const raw = t.spout('raw', readings);
    const both = t.bolt(
      'both',
      raw.shuffle(),
      bolt({ emits: { x: type<1>(), y: type<2>() }, prepare: () => ({ execute() {} }) }),
    );
    const none = t.bolt('none', raw.shuffle(), bolt({ prepare: () => ({ execute() {} }) }));
    const y: Stream<2> = both.y;
    seen = [Object.keys(both), y.component, y.stream, none, t.sink('rows', raw.shuffle(), rows)];
  }).build();
  assert.deepEqual(seen, [['x', 'y'], 'both', 'y', {}, undefined]);
});

test('the config is checked by its schema, and its defaults are filled in', () => {
  const schema = z.object({ group: z.string().default('detector'), limit: z.number().positive() });
  const seen: unknown[] = [];
  const make = topology('configured', (t) => {
    seen.push(t.config(schema));
    t.spout('raw', readings);
  });
  make.build({ limit: 3 });
  assert.deepEqual(seen, [{ group: 'detector', limit: 3 }]);
  assert.throws(() => make.build({ limit: -1 }), {
    code: 'MR_SCHEMA',
    message: /^the config of topology 'configured' does not match its schema: limit: /,
  });
  assert.throws(() => make.build(), { code: 'MR_SCHEMA' }, 'no config is an empty one, and is checked as well');
});

test('the plan shows where event time differs from the default, and stays pure data', () => {
  const { plan } = topology('timed', (t) => {
    const raw = t.spout('usual', readings, { time: { idle: '30s' } });
    t.spout('own', readings, { time: { from: () => 0, outOfOrder: '5s', align: '1m', whenIdle: 'clock' } });
    t.spout('ruled', readings, { time: { watermark: () => ({ record: () => undefined }) } });
    t.spout('ingested', readings, { time: 'ingestion' });
    t.bolt('b', raw.shuffle(), () => {});
  }).build();
  assert.deepEqual(
    plan.components.map(({ time }) => time),
    [
      undefined,
      { from: true, outOfOrder: 5000, align: 60_000, whenIdle: 'clock' },
      { watermark: true },
      { from: 'ingestion', idle: 200, whenIdle: 'clock' },
      undefined,
    ],
  );
  assert.deepEqual(JSON.parse(JSON.stringify(plan)), plan);
});
