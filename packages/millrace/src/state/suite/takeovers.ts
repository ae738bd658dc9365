/** Test support: saved state under declarations that have changed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { type } from '../../topology/schema.ts';
import type { StateSpec, StateSpecs } from '../../topology/state-spec.ts';
import { list, mapOf, reducing, value } from '../../topology/state-spec.ts';
import type { TimerSpecs } from '../../topology/timer-spec.ts';
import type { OpenStore } from './opened.ts';
import { opened, whole } from './opened.ts';

type Spec = StateSpec<unknown>;
const add = (a: number, b: number) => a + b;

export function takeoversSuite(open: OpenStore): void {
  /** What a store of these states, filled by `fill` for the key 'k', has saved. */
  function saved<S extends StateSpecs>(state: S, fill: (it: ReturnType<typeof opened<S, { at: 'event' }>>) => void) {
    const it = opened(open, { state, timers: { at: 'event' } });
    it.step('k', () => fill(it));
    const snapshot = it.store.snapshot('all');
    return { shapes: snapshot.shapes, keys: whole(snapshot) };
  }
  type Saved = ReturnType<typeof saved>;
  function taken(
    { shapes, keys }: Saved,
    state: StateSpecs,
    drop: string[] = [],
    timers: TimerSpecs = { at: 'event' },
  ) {
    const it = opened(open, { state, timers, clock: { now: 500 } });
    it.store.restore(shapes, keys, drop);
    return it.store.read('k');
  }
  function refused(saved: Saved, state: StateSpecs, ...parts: (string | RegExp)[]): void {
    const it = opened(open, { state, timers: { at: 'event' } });
    const untouched = function* () {
      yield* [];
      assert.fail('data was touched');
    };
    assert.throws(
      () => it.store.restore(saved.shapes, untouched()),
      ({ code, message }) => {
        assert.equal(code, 'MR_STATE_SHAPE');
        for (const part of parts)
          assert.ok(typeof part === 'string' ? message.includes(part) : part.test(message), `${part}\nin\n${message}`);
        return true;
      },
    );
  }

  test('an older version is migrated: values, whole lists and whole maps', () => {
    const was = saved(
      { v: value({ sum: 1 }), r: reducing(0, add), l: list(type<number>()), m: mapOf<number>(type<number>()) },
      ({ state }) => {
        state.v.set({ sum: 5 });
        state.r.add(6);
        for (const n of [1, 2, 3]) state.l.append(n);
        state.m.set('a', 1);
        state.m.set('b', 2);
      },
    );
    const next = { version: 3 };
    const content = taken(was, {
      m: mapOf(type<string>(), {
        ...next,
        migrate: (m: Map<string, number>) => new Map([...m].map(([k, n]) => [`${k}!`, `${n}`])),
      }),
      l: list(type<string>(), { ...next, migrate: (l: number[]) => l.filter((n) => n > 1).map(String) }),
      v: value({ sum: 0, n: 0 }, { ...next, migrate: (v: { sum: number }, version) => ({ ...v, n: version }) }),
      r: value('', { ...next, migrate: (n: number) => `${n}` }),
      added: value('new'),
    });
    assert.deepEqual(content?.state, {
      m: new Map(Object.entries({ 'a!': '1', 'b!': '2' })),
      l: ['2', '3'],
      v: { sum: 5, n: 1 },
      r: '6',
      added: 'new',
    });
  });

  test('a changed shape under the same version is refused, with the migration to write', () => {
    const was = saved({ totals: value({ sum: 0, label: '' }) }, ({ state }) =>
      state.totals.set({ sum: 1, label: 'x' }),
    );
    refused(
      was,
      { totals: value({ sum: 0n, label: '', n: 0 }) },
      "state that 'b' declares is not the one that was saved",
      "- state 'totals' was { label: string; sum: number }, and is { label: string; n: number; sum: bigint } now, under the same version 1",
      '{ version: 2, migrate: (saved: { label: string; sum: number }): { label: string; n: number; sum: bigint } => ({ sum: 0n, label: saved.label, n: 0 }) }',
    );
    assert.deepEqual(taken(was, { totals: value({ label: 'other', sum: 7 }) })?.state.totals, { sum: 1, label: 'x' });
  });

  test('a changed schema of the elements is refused, where the schema can tell', () => {
    const Old = z.object({ device: z.string(), at: z.number().optional() });
    const New = z.object({ device: z.string(), at: z.number().optional(), tags: z.array(z.string()) });
    const was = saved({ l: list(Old), m: mapOf(Old) }, ({ state }) => state.l.append({ device: 'd' }));
    refused(
      was,
      { l: list(New), m: mapOf(New) },
      "state 'l' was { at?: number; device: string }[], and is { at?: number; device: string; tags: string[] }[] now",
      'saved.map((old) => ({ device: old.device, at: old.at, tags: [] }))',
      "state 'm' was Map<string, { at?: number; device: string }>",
      'new Map([...saved].map(([name, old]) => [name, { device: old.device, at: old.at, tags: [] }]))',
    );
    const described = z.object({ at: z.number().min(5).optional().describe('when'), device: z.string().max(9) });
    assert.ok(taken(was, { l: list(described), m: mapOf(described) }));
    assert.ok(taken(was, { l: list(type<unknown>()), m: mapOf(type<unknown>()) }));
  });

  test('a changed kind, a version that went back, and one without a migrate are refused', () => {
    const was = saved({ s: value(0, { version: 2 }) }, ({ state }) => state.s.set(1));
    const other: [Spec, ...(string | RegExp)[]][] = [
      [
        list(type<number>(), { version: 2 }),
        'was number, and is unknown[] now',
        'version: 3, migrate: (saved: number): unknown[] => [saved]',
      ],
      [value(0), 'was saved as version 2, and is declared as version 1: versions do not go back'],
      [
        value(0, { version: 3 }),
        'declared as version 3 without a migrate',
        '{ version: 3, migrate: (saved: number): number => saved }',
      ],
    ];
    for (const [spec, ...parts] of other) refused(was, { s: spec }, ...parts);
    assert.deepEqual(taken(was, { s: reducing(0, add, { version: 3, migrate: (n: number) => n + 1 }) })?.state.s, 2);
    const many = { s: value(0), t: value(0) };
    const two = saved(many, ({ state }) => state.s.set(1));
    refused(two, { s: value(''), t: value('') }, /- state 's'[\s\S]*- state 't'/);
  });

  test('state and timers that are declared no more are kept from being lost, unless they are dropped by name', () => {
    const was = saved({ a: value(0), b: value(0) }, ({ state, timers }) => {
      state.a.set(1);
      state.b.set(2);
      timers.at.set(9);
    });
    refused(was, { b: value(0) }, "state 'a' was saved, and is declared no more");
    assert.deepEqual(taken(was, { b: value(0) }, ['a'])?.state, { b: 2 });
    assert.throws(() => taken(was, { a: value(0), b: value(0) }, [], {}), {
      code: 'MR_STATE_SHAPE',
      message: /timer 'at' was saved/,
    });
    assert.throws(() => taken(was, { a: value(0), b: value(0) }, [], { at: 'clock' }), {
      message: /was by event time, and is by clock/,
    });
    assert.deepEqual(taken(was, { a: value(0), b: value(0) }, ['at'], {})?.timers, []);
    assert.equal(taken(was, {}, ['a', 'b', 'at'], {}), undefined);
  });

  test('what is dropped by name begins anew where it is still declared, whatever it is now', () => {
    const was = saved({ a: value(0), b: value(0) }, ({ state, timers }) => {
      state.a.set(1);
      state.b.set(2);
      timers.at.set(9);
    });
    const content = taken(was, { a: value('new'), b: value(0) }, ['a', 'at'], { at: 'clock' });
    assert.deepEqual(content, { state: { a: 'new', b: 2 }, timers: [] });
  });

  test('a migrate that throws or gives back something else names the state and the key', () => {
    const was = saved({ l: list(type<number>()), v: value(0) }, ({ state }) => {
      state.l.append(1);
      state.v.set(1);
    });
    const next = { version: 2 };
    const boom = () => {
      throw new Error('boom');
    };
    for (const [spec, why] of [
      [list(type<number>(), { ...next, migrate: boom }), 'boom'],
      [list(type<number>(), { ...next, migrate: () => 5 }), 'a list is wanted'],
      [mapOf(type<number>(), { ...next, migrate: (l: number[]) => l }), 'a Map is wanted'],
    ] as [Spec, string][]) {
      assert.throws(() => taken(was, { l: spec, v: value(0) }), {
        code: 'MR_STATE_MIGRATE',
        message: `'b': migrate of state 'l' could not take over what version 1 kept for the key "k": ${why}; correct migrate and start again: what was saved is as it was`,
      });
    }
    assert.deepEqual(taken(was, { l: list(type<number>(), { ...next, migrate: () => [] }), v: value(0) })?.state.l, []);
  });

  test('what the same version saved is not migrated', () => {
    const migrate = () => assert.fail('migrated');
    const was = saved({ v: value(0, { version: 2 }) }, ({ state }) => state.v.set(1));
    assert.deepEqual(taken(was, { v: value(0, { version: 2, migrate }) })?.state, { v: 1 });
  });

  test('elements that a migrate has added live as long as the last of the old ones', () => {
    const ttl = 600;
    const was = saved({ l: list(type<number>(), { ttl }), v: value(0, { ttl }) }, ({ state }) => {
      state.v.set(1);
      state.l.set([1, 2]);
    });
    const it = opened(open, {
      state: {
        l: list(type<number>(), { ttl, version: 2, migrate: (l: number[]) => [...l, ...l] }),
        v: list(type<number>(), { ttl, version: 2, migrate: (n: number) => [n, n] }),
      },
      timers: { at: 'event' },
      clock: { now: 599 },
    });
    it.store.restore(was.shapes, was.keys);
    assert.deepEqual(it.store.read('k')?.state, { l: [1, 2, 1, 2], v: [1, 1] });
    it.clock.now = 600;
    it.step('k', () => assert.deepEqual([it.state.l.get(), it.state.v.get()], [[], []]));
    it.clock.now = 700;
    it.swept();
    assert.equal(it.store.size, 0);
  });

  test('a time to live may be added, changed and taken away; where it is new it begins with the restart', () => {
    const specs = (options: object) => ({
      v: value(0, options),
      l: list(type<number>(), options),
      m: mapOf<number>(type<number>(), options),
    });
    const fill = ({ state }: ReturnType<typeof opened<ReturnType<typeof specs>, { at: 'event' }>>) => {
      state.v.set(1);
      state.l.append(1);
      state.m.set('a', 1);
    };
    const full = { v: 1, l: [1], m: new Map([['a', 1]]) };
    const plain = saved(specs({}), fill);
    const timed = saved(specs({ ttl: 1_000 }), fill);
    assert.deepEqual(taken(timed, specs({}))?.state, full);
    assert.deepEqual(taken(timed, specs({ ttl: 501 }))?.state, full);
    assert.equal(Object.values(taken(timed, specs({ ttl: 500 }))?.state ?? { v: 0 })[0], 0);
    assert.deepEqual(taken(plain, specs({ ttl: 1 }))?.state, full);
    assert.deepEqual(taken(timed, specs({ ttl: { event: 1 } }))?.state, full);
    const migrated = specs({ ttl: 501, version: 2, migrate: (kept: unknown) => kept });
    assert.deepEqual(taken(timed, migrated)?.state, full);
    const byEvent = opened(open, { state: specs({ ttl: { event: 100 } }), timers: { at: 'event' } });
    byEvent.store.watermark = 5_000;
    byEvent.store.restore(timed.shapes, timed.keys);
    for (const [watermark, content] of [
      [5_099, full],
      [5_100, { v: 0, l: [], m: new Map() }],
    ] as const) {
      byEvent.store.watermark = watermark;
      assert.deepEqual(byEvent.store.read('k')?.state, content);
    }
    const it = opened(open, { state: specs({ ttl: 600 }), timers: { at: 'event' }, clock: { now: 500 } });
    it.store.restore(timed.shapes, timed.keys);
    assert.ok(it.store.nextClockExpiry >= 600 && it.store.nextClockExpiry < 700);
  });

  test('a version or a time to live that is none is refused at the start', () => {
    for (const options of [
      { version: 0 },
      { version: 1.5 },
      { version: Number.NaN },
      { ttl: 0 },
      { ttl: { event: 0 } },
    ]) {
      assert.throws(() => opened(open, { state: { s: value(0, options) } }), {
        code: 'MR_OPTION',
        message: /state 's'/,
      });
    }
    assert.throws(() => opened(open, { state: { s: value(0, { ttl: -1 }) } }), { code: 'MR_DURATION' });
  });
}
