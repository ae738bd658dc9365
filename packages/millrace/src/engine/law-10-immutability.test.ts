/** Law 10: emitted and stored values belong to the engine, and what an edge between workers does to them changes nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { bolt, list, mapOf, reducing, spout, topology, type, value } from '../index.ts';
import { testRun } from '../testing.ts';

interface Given {
  readonly v: unknown;
}
const source = spout({ emits: type<Given>(), open: () => ({ nextTuple: () => false }) });

const plain = fc.anything({
  withBigInt: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withTypedArray: true,
  maxDepth: 3,
});

/** Keeps what it is given in every kind of state, and gives it on from there. */
const keeper = bolt({
  emits: { values: type<unknown>(), later: type<unknown>() },
  state: {
    one: value<unknown>(undefined),
    all: list(type<unknown>()),
    byName: mapOf(type<unknown>()),
    last: reducing<unknown, unknown>(undefined, (_, latest) => latest),
  },
  timers: { later: 'event' },
  prepare: ({ emit, state, timers }) => ({
    execute({ v }: Given, time) {
      state.one.set(v);
      state.all.append(v);
      state.byName.set('v', v);
      state.last.add(v);
      timers.later.set(time + 1);
      emit.values([state.one.get(), state.all.get(), state.byName.get('v'), state.last.get()]);
    },
    timer: {
      later: () => emit.later([state.one.get(), state.all.get(), [...state.byName.entries()], state.last.get()]),
    },
  }),
});

const kept = topology('kept', (t) => {
  const raw = t.spout('raw', source);
  const { values, later } = t.bolt(
    'keep',
    raw.keyBy(() => 'k'),
    keeper,
  );
  return { raw, values, later, again: t.bolt('again', values.shuffle(), (v) => ({ v })) };
});

test('with all edges encoded a topology does the same: a second worker changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(plain, { minLength: 1, maxLength: 4 }), async (values) => {
      const out = [];
      for (const encodeEdges of [false, true]) {
        const run = testRun(kept, { encodeEdges });
        for (const [i, v] of values.entries()) run.feed('raw', { v: structuredClone(v) }, i);
        await run.end();
        out.push([run.read('values'), run.read('later'), run.read('again')]);
        assert.deepEqual(run.ledger(), []);
      }
      assert.deepEqual(out[1], out[0]);
    }),
    { numRuns: 100 },
  );
});

/** Every way to change a value, or a part of it. Typed arrays cannot be frozen. */
function* changes(value: unknown): Generator<() => unknown> {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if (value instanceof Map) {
    yield () => value.set('new', 1);
    for (const [name, part] of value) yield* [...changes(name), ...changes(part)];
  } else if (value instanceof Set) {
    yield () => value.add('new');
    for (const part of value) yield* changes(part);
  } else if (value instanceof Date) yield () => value.setTime(1);
  else {
    yield () => Object.defineProperty(value, 'new', { value: 1 });
    for (const name of Object.keys(value)) {
      yield () => Object.assign(value, { [name]: 'changed' });
      yield* changes((value as { [name: string]: unknown })[name]);
    }
  }
}

test('whoever tries to change what was emitted or stored, or a part of it, is refused', async () => {
  await fc.assert(
    fc.asyncProperty(plain, async (v) => {
      const got: unknown[] = [];
      const vandal = bolt({
        state: { own: value<unknown>(undefined) },
        prepare: ({ state: { own } }) => ({
          execute(given: unknown) {
            own.set(structuredClone(given));
            got.push(given, own.get());
          },
        }),
      });
      const t = topology('t', (b) => {
        const raw = b.spout('raw', source);
        const { values, later } = b.bolt(
          'keep',
          raw.keyBy(() => 'k'),
          keeper,
        );
        b.bolt('vandal', { values: values.global(), later: later.global() }, vandal);
        return { raw };
      });
      const run = testRun(t);
      run.feed('raw', { v }, 0);
      await run.end();
      assert.equal(got.length, 4);
      const before = structuredClone(got);
      for (const value of got) for (const change of changes(value)) assert.throws(change, TypeError);
      assert.deepEqual(got, before);
    }),
    { numRuns: 100 },
  );
});
