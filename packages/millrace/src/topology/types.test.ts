/**
 * What the compiler infers, end to end and without generics at call sites: `npm run types` checks this file, `is` holds
 * for equal types only, and each `@ts-expect-error` must refuse its line. (The messages themselves are fixtures.)
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { DirectStream, EmitsNothing, Input, Stream, Topology, TopologyBuilder } from '../index.ts';
import {
  asyncBolt,
  bolt,
  direct,
  flatMap,
  list,
  manualBolt,
  map,
  sink,
  spout,
  topology,
  type,
  value,
} from '../index.ts';

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
const is = <_T extends true>() => {};

interface Reading {
  readonly device: string;
  readonly site: number;
  readonly value: number;
  readonly big: bigint;
  readonly ok: boolean;
  readonly tags: { readonly a: 1 };
  readonly maybe?: string;
  readonly owner: string | null;
}
type Event = { readonly kind: 'on'; readonly who: string } | { readonly kind: 'off'; readonly why: number };

const readings = spout({
  emits: type<Reading>(),
  open: ({ emit }) => ({ nextTuple: () => emit({} as Reading, 'id', 1) }),
});
const events = spout({
  emits: { events: type<Event>(), work: direct(type<Reading>()), checked: z.object({ device: z.string() }) },
  open: ({ emit }) => ({
    nextTuple() {
      emit.events({ kind: 'off', why: 1 }, 7);
      emit.work(0, {} as Reading, 'id');
      // @ts-expect-error the task comes first
      emit.work({} as Reading);
    },
  }),
});

const build = (define: (t: TopologyBuilder) => void) => topology('types', define).build();
/** Lines for the compiler alone: what it refuses, `build` would refuse as well. */
const unrun = (_: () => void) => {};

test('a grouping gives its values and their key', () => {
  build((t) => {
    const raw = t.spout('raw', readings);
    const { events: all, work, checked } = t.spout('events', events);
    is<Equal<typeof raw, Stream<Reading>>>();
    is<Equal<typeof work, DirectStream<Reading>>>();
    is<Equal<typeof checked, Stream<{ device: string }>>>();
    const one = raw.fields('device');
    is<Equal<typeof one, Input<Reading, string>>>();
    const three = raw.fields('device', 'site', 'big');
    is<Equal<typeof three, Input<Reading, readonly [string, number, bigint]>>>();
    const shared = all.fields('kind');
    is<Equal<typeof shared, Input<Event, 'on' | 'off'>>>();
    const derived = raw.keyBy((r) => [r.device, [r.site, r.ok]]);
    is<Equal<typeof derived, Input<Reading, (string | (number | boolean)[])[]>>>();
    const whole = raw.global();
    is<Equal<typeof whole, Input<Reading, readonly []>>>();
    unrun(() => {
      // @ts-expect-error it may be missing
      raw.fields('maybe');
      // @ts-expect-error it may be null
      raw.fields('owner');
      // @ts-expect-error an object is no key
      raw.fields('device', 'tags');
      // @ts-expect-error only one of the union's members has it
      all.fields('who');
      // @ts-expect-error null is no key
      raw.keyBy((r) => r.owner);
      // @ts-expect-error a direct stream has direct() alone
      work.shuffle;
      // @ts-expect-error and no other stream has it
      raw.direct;
    });
  });
});

test('a plain function gives the stream of what it returns', () => {
  build((t) => {
    const raw = t.spout('raw', readings);
    const some = t.bolt('some', raw.fields('device', 'site'), (r, time, [device, site]) => {
      is<Equal<typeof device, string>>();
      is<Equal<typeof site, number>>();
      return time > r.value ? r.device : undefined;
    });
    is<Equal<typeof some, Stream<string>>>();
    const nullable = t.bolt('nullable', some.shuffle(), (s) => (s === '' ? null : s.length));
    is<Equal<typeof nullable, Stream<number | null>>>();
    const untyped = t.bolt('untyped', some.shuffle(), (s) => JSON.parse(s));
    // biome-ignore lint/suspicious/noExplicitAny: what JSON.parse gives
    is<Equal<typeof untyped, Stream<any>>>();
    const empty = t.bolt('empty', raw.shuffle(), () => ({}));
    empty.shuffle();
    const nothing = t.bolt('nothing', raw.shuffle(), () => {});
    is<Equal<typeof nothing, EmitsNothing>>();
    const mapped = t.bolt(
      'map',
      raw.shuffle(),
      map((r) => (r.ok ? r.value : undefined)),
    );
    is<Equal<typeof mapped, Stream<number>>>();
    unrun(() => {
      // @ts-expect-error no key behind a shuffle
      t.bolt('keyless', raw.shuffle(), (_r, _time, key) => key.length);
      // @ts-expect-error a generator function needs flatMap
      t.bolt('generator', raw.shuffle(), function* (r) {
        yield r;
      });
      // @ts-expect-error an async function needs asyncBolt
      t.bolt('async', raw.shuffle(), async (r) => r.device);
    });
  });
});

test('a bolt written in place knows its values, its key, its streams and its state', () => {
  build((t) => {
    const raw = t.spout('raw', readings);
    const out = t.bolt(
      'full',
      raw.fields('device'),
      bolt({
        emits: { big: type<Reading>(), sum: type<number>(), work: direct(type<string>()) },
        state: { sum: value(0), seen: list(type<Reading>()), byName: value<Record<string, number>>({}) },
        prepare: ({ emit, state, tasksOf }) => ({
          execute(r, time, key) {
            is<Equal<typeof key, string>>();
            state.sum.set(state.sum.get() + r.value);
            state.seen.append(r);
            emit.big(r, time);
            emit.work(tasksOf('worker') - 1, r.device);
            // @ts-expect-error another type
            emit.sum(r.device);
            // @ts-expect-error nobody declared it
            emit.small;
            // @ts-expect-error state is misspelt
            state.sun;
          },
        }),
      }),
    );
    is<Equal<(typeof out)['sum'], Stream<number>>>();
    is<Equal<(typeof out)['work'], DirectStream<string>>>();
    t.bolt('worker', out.work.direct(), (job) => job.trim());
    unrun(() => {
      const counts = bolt({ state: { n: value(0) }, prepare: () => ({ execute(_: Reading) {} }) });
      const byHalves = raw.partialKey((r) => r.device);
      // @ts-expect-error state needs a key, and partialKey gives none
      t.bolt('split', byHalves, counts);
    });
  });
});

test('named inputs have one handler each, or one function for all', () => {
  build((t) => {
    const raw = t.spout('raw', readings);
    const words = t.bolt(
      'words',
      raw.shuffle(),
      flatMap(function* (r) {
        yield r.device;
      }),
    );
    is<Equal<typeof words, Stream<string>>>();
    t.bolt(
      'each',
      { reading: raw.fields('site'), word: words.keyBy((w) => w) },
      bolt({
        state: { n: value(0) },
        prepare: ({ state }) => ({
          execute: {
            reading(r, _time, site) {
              state.n.set(r.value + site);
            },
            word(w, _time, key) {
              state.n.set(w.length + key.length);
            },
          },
        }),
      }),
    );
    const merged = t.bolt('merged', { a: raw.shuffle(), b: words.shuffle() }, (v) =>
      typeof v === 'string' ? v : v.device,
    );
    is<Equal<typeof merged, Stream<string>>>();
    t.bolt(
      'flat',
      { a: raw.shuffle(), b: words.shuffle() },
      flatMap((v) => (typeof v === 'string' ? [v] : [])),
    );
    const both = bolt({ prepare: () => ({ execute: { a(_: Reading) {}, b(_: string) {} } }) });
    t.bolt('both', { a: raw.shuffle(), b: words.shuffle() }, both);
    unrun(() => {
      // @ts-expect-error c has no handler
      t.bolt('unhandled', { a: raw.shuffle(), b: words.shuffle(), c: words.shuffle() }, both);
      // @ts-expect-error b gets another type
      t.bolt('crossed', { a: raw.shuffle(), b: raw.shuffle() }, both);
      const counts = bolt({ state: { n: value(0) }, prepare: () => ({ execute(_: Reading) {} }) });
      // @ts-expect-error one of the inputs has no key
      t.bolt('keyless', { a: raw.global(), b: raw.shuffle() }, counts);
    });
  });
});

test('asynchronous and manual bolts and sinks take what the stream carries', () => {
  build((t) => {
    const raw = t.spout('raw', readings);
    const called = t.bolt(
      'call',
      raw.fields('device'),
      asyncBolt({
        concurrency: 2,
        execute: async (r, { signal, time }) => (signal.aborted ? undefined : r.value + time),
      }),
    );
    is<Equal<typeof called, Stream<number>>>();
    const held = t.bolt(
      'hold',
      raw.shuffle(),
      manualBolt({
        emits: type<number>(),
        prepare: ({ emit, ack, fail, resetTimeout }) => ({
          execute(tuple) {
            emit(tuple.value.value, [tuple]);
            resetTimeout(tuple);
            if (tuple.value.ok) ack(tuple);
            else fail(tuple, 'not ok');
          },
          flush() {},
        }),
      }),
    );
    is<Equal<typeof held, Stream<number>>>();
    t.sink(
      'rows',
      raw.shuffle(),
      sink({ mode: 'append', batch: { size: 1, every: '1s' }, write: (rows) => void rows[0]?.device.trim() }),
    );
    t.sink(
      'open',
      raw.shuffle(),
      sink({
        mode: 'append',
        batch: { size: 1, every: '1s' },
        open: () => ({ write: (rows) => void rows[0]?.device.trim() }),
      }),
    );
    const numbers = sink({ mode: 'upsert', batch: { size: 1, every: '1s' }, write: (_: readonly number[]) => {} });
    t.sink('numbers', held.shuffle(), numbers);
    unrun(() => {
      // @ts-expect-error a sink of another type
      t.sink('wrong', raw.shuffle(), numbers);
      // @ts-expect-error a bolt that emits nothing gives no stream
      t.bolt('end', raw.shuffle(), bolt({ prepare: () => ({ execute() {} }) })).shuffle;
    });
  });
});

test('a topology keeps the types of the streams that it gives back', () => {
  const made = topology('ends', (t) => {
    const raw = t.spout('raw', readings);
    return { raw, sums: t.bolt('sums', raw.shuffle(), (r) => r.value) };
  });
  type Ends = typeof made extends Topology<infer E> ? E : never;
  is<Equal<keyof Ends, 'raw' | 'sums'>>();
  is<Equal<Ends['raw'], Stream<Reading>>>();
  is<Equal<Ends['sums'], Stream<number>>>();
  assert.deepEqual(Object.keys(made.build().ends), ['raw', 'sums']);
});
