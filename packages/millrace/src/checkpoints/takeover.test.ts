/** A topology changes between two starts: what is lost is lost by name, and everything else is said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shapesOf } from '../state/shape.ts';
import { bolt } from '../topology/bolt.ts';
import { type } from '../topology/schema.ts';
import { sink } from '../topology/sink.ts';
import { logSpout } from '../topology/spout.ts';
import type { StateSpecs } from '../topology/state-spec.ts';
import { value } from '../topology/state-spec.ts';
import type { TimerSpecs } from '../topology/timer-spec.ts';
import { topology } from '../topology/topology.ts';
import type { SavedCheckpoint } from './checkpoint-store.ts';
import type { Fate, TakeoverPlan } from './takeover.ts';
import { acceptTakeover, planTakeover } from './takeover.ts';

interface Shape {
  readonly spouts?: readonly string[];
  readonly bolts?: { readonly [id: string]: { readonly state?: StateSpecs; readonly timers?: TimerSpecs } };
  readonly sinks?: readonly string[];
  /** Sinks that publish at once. */
  readonly atOnce?: readonly string[];
}

/** A topology of these components, whose code never runs. */
function built({ spouts = ['raw'], bolts = {}, sinks = [], atOnce = [] }: Shape) {
  const read = logSpout<string>({ emits: type<string>(), splits: () => [], open: () => assert.fail() });
  const batch = { size: 1, every: 0 };
  const add = sink<string>({ mode: 'append', batch, write: () => {} });
  const publish = sink<string>({
    mode: 'transactional',
    batch,
    write: () => {},
    epochs: { open: () => assert.fail() },
  });
  return topology('t', (t) => {
    const [first] = spouts.map((id) => t.spout(id, read));
    for (const [id, { state = {}, timers = {} }] of Object.entries(bolts)) {
      const code = bolt({ state, timers, prepare: () => ({ timer: {} as never, execute: (_: string) => {} }) });
      t.bolt(id, first!.keyBy(String), code as never);
    }
    for (const id of sinks) t.sink(id, first!.shuffle(), publish);
    for (const id of atOnce) t.sink(id, first!.shuffle(), add);
  }).build();
}

/** What such a topology would have saved, each sink so many outputs. */
function saved(
  { spouts = ['raw'], bolts = {}, sinks = [] }: Shape,
  { finished = false, entries = 5 } = {},
): SavedCheckpoint {
  const split = { position: 7, newest: 0, watermark: 0 };
  const all = <T>(names: readonly string[], of: T) => Object.fromEntries(names.map((name) => [name, of]));
  const ids = Object.keys(bolts);
  return {
    info: {
      epoch: { incarnation: 3, number: 17 },
      facts: {
        topology: 't',
        at: 0,
        parent: undefined,
        sources: all(spouts, { 's-0': split, 's-1': split }),
        watermarks: all(ids, 0),
        outputs: all(sinks, entries),
        finished,
      },
      bytes: 0,
      keys: 0,
    },
    components: ids,
    state: (id) => {
      const { state = {}, timers = {} } = bolts[id]!;
      return [{ shapes: shapesOf(id, state, timers), what: 'all', keys: () => [] }];
    },
    outputs: () => [],
    release: () => {},
  };
}

const choice = (renamed: Readonly<Record<string, string>> = {}, dropped: readonly string[] = []) => ({
  renamed: new Map(Object.entries(renamed)),
  dropped: new Set(dropped),
});
const fates = ({ components }: TakeoverPlan): Record<string, Fate> =>
  Object.fromEntries(components.map(({ component, fate }) => [component, fate]));
const codes = ({ problems }: TakeoverPlan) => problems.map(({ code }) => code);

const COUNTS = { state: { n: value(0) }, timers: { due: 'event' } } as const;
const WAS = { bolts: { counts: COUNTS }, sinks: ['out'] };

test('what has not changed goes on with what it had', () => {
  const plan = acceptTakeover(planTakeover(built(WAS), saved(WAS), choice()));
  assert.deepEqual(fates(plan), { raw: 'taken', counts: 'taken', out: 'taken' });
  const [raw, counts, out] = plan.components;
  assert.deepEqual([raw!.from, raw!.count, out!.count, counts!.tasks], ['raw', 2, 5, 1]);
  assert.deepEqual(
    counts!.parts.map(({ name, what, fate }) => [name, what, fate]),
    [
      ['n', 'state', 'taken'],
      ['due', 'timer', 'taken'],
    ],
  );
  assert.deepEqual(plan.unused, []);
});

test('a component that is gone stops the start, all of them at once, and the message has the remedies', () => {
  const plan = planTakeover(built({ spouts: ['other'] }), saved(WAS), choice());
  assert.deepEqual(fates(plan), { other: 'new', raw: 'missing', counts: 'missing', out: 'missing' });
  assert.throws(
    () => acceptTakeover(plan),
    (error: Error) => {
      assert.match(error.message, /^checkpoint 3\.17 has what/);
      assert.match(
        error.message,
        /- the positions of spout 'raw'; name it as before, .+--rename raw=NEW.+--drop raw\)/,
      );
      assert.match(error.message, /- the state of 'counts'; /);
      assert.match(error.message, /- outputs of sink 'out'; if it was stopped in good order.+--drop out\)/);
      return (error as { code?: string }).code === 'MR_CHECKPOINT_COMPONENT';
    },
  );
  const given = planTakeover(built({ spouts: ['other'] }), saved(WAS), choice({}, ['raw', 'counts', 'out']));
  assert.deepEqual(fates(acceptTakeover(given)), { other: 'new', raw: 'dropped', counts: 'dropped', out: 'dropped' });
});

test('a sink whose outputs are all published may go', () => {
  acceptTakeover(planTakeover(built({ bolts: WAS.bolts }), saved(WAS, { entries: 0 }), choice()));
});

test('a sink with outputs cannot be renamed: under the new name nobody knows what it has published', () => {
  const plan = planTakeover(built({ ...WAS, sinks: ['end'] }), saved(WAS), choice({ out: 'end' }));
  assert.match(plan.problems[0]!.message, /- outputs of sink 'out'/);
  const published = saved(WAS, { entries: 0 });
  acceptTakeover(planTakeover(built({ ...WAS, sinks: ['end'] }), published, choice({ out: 'end' })));
});

test('a sink with outputs that publishes at once now has no use for them: it is said, and not forgotten', () => {
  const now = built({ bolts: WAS.bolts, atOnce: ['out'] });
  assert.match(planTakeover(now, saved(WAS), choice()).problems[0]!.message, /- outputs of sink 'out'/);
  acceptTakeover(planTakeover(now, saved(WAS), choice({}, ['out'])));
  acceptTakeover(planTakeover(now, saved(WAS, { entries: 0 }), choice()));
});

test('a component that has become another kind is gone: what was kept is not for it', () => {
  const plan = planTakeover(built({ spouts: ['counts'], sinks: ['out'] }), saved(WAS), choice());
  assert.deepEqual(fates({ ...plan, components: plan.components.slice(0, 2) }), { counts: 'new', out: 'taken' });
  assert.match(plan.problems[0]!.message, /spout 'raw'[\s\S]+state of 'counts'/);
});

test('a renamed component goes on, also where names are exchanged', () => {
  const now = { spouts: ['lines'], bolts: { tally: COUNTS }, sinks: ['out'] };
  const renames = { raw: 'lines', counts: 'tally' };
  const plan = acceptTakeover(planTakeover(built(now), saved(WAS), choice(renames)));
  assert.deepEqual(
    plan.components.map(({ component, from, fate }) => [component, from, fate]),
    [
      ['lines', 'raw', 'taken'],
      ['tally', 'counts', 'taken'],
      ['out', 'out', 'taken'],
    ],
  );
  const two = { bolts: { a: COUNTS, b: { state: { n: value(''), m: value(0) } } } };
  const swapped = { bolts: { b: COUNTS, a: { state: { n: value(''), m: value(0) } } } };
  const exchange = acceptTakeover(planTakeover(built(swapped), saved(two), choice({ a: 'b', b: 'a' })));
  assert.deepEqual(
    exchange.components.slice(1).map(({ component, from }) => [component, from]),
    [
      ['b', 'a'],
      ['a', 'b'],
    ],
  );
});

test('a new component may have the name that another one had', () => {
  const now = built({ bolts: { counts: COUNTS, tally: COUNTS } });
  const plan = acceptTakeover(planTakeover(now, saved({ bolts: WAS.bolts }), choice({ counts: 'tally' })));
  assert.deepEqual(fates(plan), { raw: 'taken', counts: 'new', tally: 'taken' });
});

test('a rename to nothing, or of two into one, is refused', () => {
  const away = planTakeover(built(WAS), saved(WAS), choice({ counts: 'count' }));
  assert.match(away.problems[0]!.message, /'counts' was to be renamed to 'count', and there is no 'count'$/);
  const both = { bolts: { counts: COUNTS, old: COUNTS } };
  const one = planTakeover(built({ bolts: { counts: COUNTS } }), saved(both), choice({ old: 'counts' }));
  assert.match(one.problems[0]!.message, /'old' and 'counts' of the checkpoint would both become 'counts'/);
  const three = planTakeover(built({ bolts: { c: COUNTS } }), saved(both), choice({ old: 'c', counts: 'c' }));
  assert.match(three.problems[0]!.message, /'old' and 'counts' of the checkpoint would both become 'c'/);
});

test('renames and drops that were done by an earlier start, or name nothing, do no harm and are told', () => {
  const plan = planTakeover(built(WAS), saved(WAS), choice({ old: 'counts' }, ['gone', 'counts.gone']));
  assert.deepEqual(codes(plan), []);
  assert.deepEqual(fates(plan), { raw: 'taken', counts: 'taken', out: 'taken' });
  assert.deepEqual(plan.unused, ['old=counts', 'gone', 'counts.gone']);
});

test('states are compared one by one: migrated, dropped, new; differences without a migrate are refused', () => {
  const was = { bolts: { counts: { state: { n: value(0), old: value(0) }, timers: { due: 'event' } } } } as const;
  const next = value('', { version: 2, migrate: (n: number) => `${n}` });
  const now = built({ bolts: { counts: { state: { n: next, fresh: value(0) } } } });
  const plan = acceptTakeover(planTakeover(now, saved(was), choice({}, ['counts.old', 'counts.due'])));
  const { fate, parts, drop } = plan.components[1]!;
  assert.deepEqual([fate, drop], ['migrated', ['old', 'due']]);
  assert.deepEqual(
    parts.map(({ name, fate, was, is }) => [name, fate, was, is]),
    [
      ['n', 'migrated', 1, 2],
      ['old', 'dropped', 1, undefined],
      ['due', 'dropped', undefined, undefined],
      ['fresh', 'new', undefined, 1],
    ],
  );
  const refused = planTakeover(now, saved(was), choice());
  assert.deepEqual(codes(refused), ['MR_STATE_SHAPE']);
  assert.match(refused.problems[0]!.message, /state 'old' was saved.+--drop counts\.old[\s\S]+timer 'due' was saved/);
});

test('a state and a timer that are still declared can begin anew', () => {
  const now = built({ bolts: { counts: { state: { n: value('') }, timers: { due: 'clock' } } } });
  const plan = acceptTakeover(planTakeover(now, saved(WAS), choice({}, ['counts.n', 'counts.due', 'out'])));
  assert.deepEqual(
    plan.components[1]!.parts.map(({ name, fate }) => [name, fate]),
    [
      ['n', 'dropped'],
      ['due', 'dropped'],
    ],
  );
});

test('all that was saved before a start and after it must fit, and the newest version tells what is migrated', () => {
  const was = (state: StateSpecs) => saved({ bolts: { counts: { state } } });
  const [older, newer] = [was({ n: value('') }), was({ n: value(0, { version: 2 }) })];
  const both = { ...newer, state: () => [...older.state('counts'), ...newer.state('counts')] };
  const now = (migrate?: (n: string) => number) =>
    built({ bolts: { counts: { state: { n: value(0, { version: 2, ...(migrate ? { migrate } : {}) }) } } } });
  assert.equal(fates(acceptTakeover(planTakeover(now(Number), both, choice()))).counts, 'taken');
  assert.deepEqual(codes(planTakeover(now(), both, choice())), ['MR_STATE_SHAPE']);
  const gone = planTakeover(now(), { ...both, components: ['counts', 'more'], state: both.state }, choice());
  assert.deepEqual(codes(gone), ['MR_CHECKPOINT_COMPONENT', 'MR_STATE_SHAPE']);
});

test('a whole component can begin anew, and so can one state of it, under its old name or its new one', () => {
  const now = built({ bolts: { tally: { state: { n: value('') } } } });
  const was = saved({ bolts: { counts: { state: { n: value(0) } } } });
  for (const name of ['counts.n', 'tally.n'])
    assert.deepEqual(planTakeover(now, was, choice({ counts: 'tally' }, [name])).components[1]!.drop, ['n'], name);
  for (const name of ['counts', 'tally', 'raw']) {
    const plan = planTakeover(now, was, choice({ counts: 'tally' }, [name]));
    assert.equal(fates(plan)[name === 'raw' ? 'raw' : 'tally'], 'dropped');
    assert.deepEqual([plan.components.find(({ fate }) => fate === 'dropped')!.from, plan.unused], [undefined, []]);
  }
});

test('a component that was added begins empty, and one that keeps nothing is not mentioned', () => {
  const plan = planTakeover(built({ bolts: { counts: COUNTS, more: COUNTS, plain: {} }, sinks: ['x'] }), saved(WAS), {
    ...choice({}, ['out']),
  });
  assert.deepEqual(fates(acceptTakeover(plan)), { raw: 'taken', counts: 'taken', more: 'new', out: 'dropped' });
});

test('a checkpoint of the end has nothing to go on with, whatever has changed', () => {
  const plan = planTakeover(
    built({ spouts: ['other'], bolts: { counts: COUNTS } }),
    saved(WAS, { finished: true }),
    choice(),
  );
  assert.deepEqual([plan.finished, codes(plan)], [true, []]);
  assert.deepEqual(fates(plan), { other: 'new', counts: 'new' });
});
