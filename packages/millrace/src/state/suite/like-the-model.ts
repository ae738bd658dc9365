/**
 * Test support: any steps, undone or not, any timers told, any time passed, any snapshots taken meanwhile and restored, also
 * into two stores by key group and back: a store is always what the naive model is.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Key } from '../../topology/key.ts';
import { type } from '../../topology/schema.ts';
import type { StateSpecs } from '../../topology/state-spec.ts';
import { list, mapOf, reducing, value } from '../../topology/state-spec.ts';
import type { TimerDomain } from '../../topology/timer-spec.ts';
import type { KeyedStore, SavedKey, StateSnapshot } from '../keyed-store.ts';
import type { Handles, ModelKeys } from './model.ts';
import { copied, groupOf, Model, TIMERS, TTL } from './model.ts';
import type { OpenStore } from './opened.ts';

const KEYS: readonly Key[] = ['a', 'b', 'c', 7, ['a', 1], [], 'd', 'e'];
const NAMES = ['x', 'y', 1, 'z'] as const;
const ENDINGS = ['', 'C', 'E'] as const;

type Op =
  | { readonly op: 'set' | 'add' | 'append' | 'lend' | 'clear one' | 'clear all' | 'clear map' | 'fill' | 'empty' }
  | { readonly op: 'put' | 'delete'; readonly at: number }
  | { readonly op: 'timer' | 'no timer'; readonly timer: keyof typeof TIMERS; readonly in: number };
type Write = Op & { readonly ending: (typeof ENDINGS)[number]; readonly n: number };

type Command =
  | { readonly do: 'step'; readonly key: number; readonly writes: readonly Write[]; readonly fails: boolean }
  | {
      readonly do: 'fire';
      readonly domain: TimerDomain;
      readonly writes: readonly Write[];
      readonly fails: boolean;
    }
  | { readonly do: 'clock' | 'watermark' | 'sweep' | 'advance'; readonly by: number }
  | { readonly do: 'snapshot'; readonly what: 'all' | 'changes' }
  | { readonly do: 'abandon' | 'restore' | 'split' };

const ending = fc.constantFrom(...ENDINGS);
const n = fc.integer({ min: 1, max: 99 });
const write: fc.Arbitrary<Write> = fc.oneof(
  fc.record({
    op: fc.constantFrom(
      ...(['set', 'add', 'append', 'append', 'lend', 'clear one', 'clear all', 'clear map', 'fill', 'empty'] as const),
    ),
    ending,
    n,
  }),
  fc.record({ op: fc.constantFrom('put', 'put', 'delete'), at: fc.nat(NAMES.length - 1), ending, n }),
  fc.record({
    op: fc.constantFrom('timer', 'timer', 'no timer'),
    timer: fc.constantFrom('expire', 'close', 'remind'),
    in: fc.constantFrom(-10, 0, 10, 20, 30, 40, 50),
    ending,
    n,
  }),
) as fc.Arbitrary<Write>;
const writes = fc.array(write, { maxLength: 6 });
const fails = fc.boolean();
const by = fc.constantFrom(0, 1, 7, 30, 60);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('step'), key: fc.nat(KEYS.length - 1), writes, fails }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('fire'), domain: fc.constantFrom('event', 'clock'), writes, fails }),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('clock', 'watermark', 'sweep', 'advance', 'advance'), by }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('snapshot'), what: fc.constantFrom('all', 'changes') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('abandon', 'restore', 'split') }) },
) as fc.Arbitrary<Command>;

function specs(): StateSpecs {
  const ttls = { '': {}, C: { ttl: TTL.C }, E: { ttl: { event: TTL.E } } };
  const all: { [name: string]: StateSpecs[string] } = {};
  for (const end of ENDINGS) {
    all[`one${end}`] = value<unknown>(0, ttls[end]);
    all[`sum${end}`] = reducing(0, (a: number, b: number) => a + b, ttls[end]);
    all[`all${end}`] = list(type<unknown>(), ttls[end]);
    all[`byName${end}`] = mapOf<unknown, string | number>(type<unknown>(), ttls[end]);
  }
  return all;
}

function writeTo({ one, sum, all, byName }: Handles, write: Exclude<Write, { readonly timer: string }>): void {
  const { op, n } = write;
  if (op === 'put') byName.set(NAMES[write.at]!, n);
  else if (op === 'delete') byName.delete(NAMES[write.at]!);
  else if (op === 'set') one.set({ n });
  else if (op === 'add') sum.add(n);
  else if (op === 'append') all.append(n);
  else if (op === 'lend') all.get();
  else if (op === 'clear one') one.clear();
  else if (op === 'clear all') all.clear();
  else if (op === 'clear map') byName.clear();
  else all.set(op === 'fill' ? [n, n] : []);
}

/** What was saved, and what the model was when that snapshot began. */
interface Saved {
  readonly snapshot: StateSnapshot;
  readonly keys: readonly SavedKey[];
  readonly model: ModelKeys;
}

class Pair {
  readonly #open: OpenStore;
  readonly #freeze: <T>(value: T) => T;
  readonly #model = new Model();
  #store: KeyedStore;
  /** A whole snapshot, and those of the changes since. */
  #saved: Saved[] = [];
  #taking: { readonly snapshot: StateSnapshot; readonly keys: SavedKey[]; readonly model: ModelKeys } | undefined;
  /** Lists that were handed out, as they were. */
  readonly #lent: (readonly [list: readonly unknown[], copy: readonly unknown[]])[] = [];

  constructor(open: OpenStore, freeze: <T>(value: T) => T) {
    this.#open = open;
    this.#freeze = freeze;
    this.#model.eventTime = 0;
    this.#store = this.#opened();
  }

  run(command: Command): void {
    switch (command.do) {
      case 'step':
        this.#model.enter(KEYS[command.key]!);
        this.#store.enter(KEYS[command.key]);
        this.#write(command.writes, command.fails);
        break;
      case 'fire':
        this.#fire(command.domain, command.writes, command.fails);
        break;
      case 'clock':
        this.#model.clock += command.by;
        break;
      case 'watermark':
        this.#model.eventTime = Math.max(this.#model.eventTime, this.#store.watermark + command.by);
        this.#store.watermark += command.by;
        break;
      case 'sweep':
        this.#sweep();
        break;
      case 'snapshot':
        this.#begin(command.what);
        break;
      case 'advance':
        this.#advance(command.by);
        break;
      case 'abandon':
        this.#taking?.snapshot.abandon();
        this.#taking = undefined;
        break;
      default:
        this.#restore(command.do === 'split');
    }
    this.#compare();
  }

  #opened(): KeyedStore {
    const store = this.#open({
      component: 'b',
      specs: specs(),
      timers: TIMERS,
      freeze: this.#freeze,
      now: () => this.#model.clock,
    });
    store.watermark = 0;
    return store;
  }

  #fire(domain: TimerDomain, writes: readonly Write[], fails: boolean): void {
    const upTo = domain === 'event' ? this.#store.watermark : this.#model.clock;
    const due = this.#model.fire(domain, upTo);
    const fired = this.#store.fire(domain, upTo);
    assert.deepEqual(fired && { name: fired.name, time: fired.time, key: fired.key }, due);
    if (due !== undefined) this.#write(writes, fails);
  }

  #write(writes: readonly Write[], fails: boolean): void {
    for (const one of writes) this.#writeOne(one);
    this.#compareKey();
    if (fails) {
      this.#model.undo();
      this.#store.undo();
    } else {
      this.#model.commit();
      this.#store.commit();
    }
  }

  #writeOne(write: Write): void {
    const { ending } = write;
    if ('timer' in write) {
      const time = (TIMERS[write.timer] === 'event' ? this.#model.eventTime : this.#model.clock) + write.in;
      for (const timer of [this.#model.timer(write.timer), this.#store.timers[write.timer]!]) {
        if (write.op === 'timer') timer.set(time);
        else timer.clear(time);
      }
      return;
    }
    for (const handles of [this.#model.handles(ending), this.#handles(ending)]) writeTo(handles, write);
    if (write.op !== 'lend') return;
    const lent = this.#handles(ending).all.get();
    this.#lent.push([lent, [...lent]]);
  }

  #handles(ending: string): Handles {
    const { handles } = this.#store;
    const of = (name: string) => handles[`${name}${ending}`];
    return { one: of('one'), sum: of('sum'), all: of('all'), byName: of('byName') } as Handles;
  }

  /** In a step: what the handles say of its key. */
  #compareKey(): void {
    for (const ending of ENDINGS) {
      const { one, sum, all, byName } = this.#handles(ending);
      const model = this.#model.handles(ending);
      assert.deepEqual(one.get(), model.one.get());
      assert.equal(sum.get(), model.sum.get());
      assert.deepEqual(all.get(), model.all.get());
      assert.deepEqual([...byName.entries()], model.byName.entries());
      assert.deepEqual([...byName.keys()], model.byName.keys());
      assert.equal(byName.size, model.byName.size);
      for (const name of NAMES) {
        assert.deepEqual([byName.get(name), byName.has(name)], [model.byName.get(name), model.byName.has(name)]);
      }
    }
  }

  #compare(): void {
    for (const domain of ['event', 'clock'] as const) {
      assert.equal(this.#store.next(domain), this.#model.first(domain)?.time ?? Number.POSITIVE_INFINITY);
    }
    for (const key of KEYS) {
      this.#model.enter(key);
      this.#store.enter(key);
      this.#compareKey();
      const timers = this.#store
        .read(key)
        ?.timers.map(({ name, time }) => `${time} ${name}`)
        .sort();
      assert.deepEqual(timers ?? [], this.#model.timers());
      this.#model.undo();
      this.#store.commit();
    }
    for (const [lent, copy] of this.#lent) assert.deepEqual(lent, copy);
  }

  /** Sweeping is rounded, and only moves what is gone: after it, at latest a while on, no key is kept for nothing. */
  #sweep(): void {
    while (this.#store.sweep(5));
  }

  #begin(what: 'all' | 'changes'): void {
    if (this.#taking) return;
    const snapshot = this.#store.snapshot(what);
    assert.ok(snapshot.what === 'all' || what === 'changes');
    this.#taking = { snapshot, keys: [], model: copied(this.#model.keys) };
  }

  #advance(by: number): void {
    const taking = this.#taking;
    if (taking === undefined) return;
    taking.keys.push(...taking.snapshot.advance(by));
    if (!taking.snapshot.done) return;
    const groups = taking.keys.map(({ group }) => group);
    assert.deepEqual(
      groups,
      [...groups].sort((a, b) => a - b),
    );
    for (const { key, group } of taking.keys) assert.equal(group, groupOf(key));
    this.#saved = taking.snapshot.what === 'all' ? [taking] : [...this.#saved, taking];
    this.#taking = undefined;
  }

  #restore(isSplit: boolean): void {
    const last = this.#saved.at(-1);
    if (last === undefined) return;
    this.#taking?.snapshot.abandon();
    this.#taking = undefined;
    const { watermark } = this.#store;
    const { shapes } = last.snapshot;
    const keys = this.#saved.flatMap((saved) => saved.keys);
    const restored = (saved: readonly (readonly SavedKey[])[]) => {
      const store = this.#opened();
      store.watermark = watermark;
      for (const some of saved) store.restore(shapes, some);
      return store;
    };
    if (isSplit) {
      const parts = [0, 1].map((half) => restored([keys.filter(({ group }) => group >> 7 === half)]));
      const snapshots = parts.map((part) => part.snapshot('all'));
      const whole = snapshots.flatMap((snapshot) => snapshot.advance(Number.POSITIVE_INFINITY));
      this.#store = restored([whole]);
      this.#saved = [{ snapshot: snapshots[0]!, keys: whole, model: last.model }];
    } else this.#store = restored([keys]);
    this.#model.keys = copied(last.model);
  }

  /** Long after, nothing is kept but what lives for ever. */
  end(): void {
    this.#model.clock += 1_000;
    this.#store.watermark += 1_000;
    this.#model.eventTime = Math.max(this.#model.eventTime, this.#store.watermark);
    this.#sweep();
    this.#model.sweep();
    assert.equal(this.#store.size, this.#model.keys.size);
    assert.equal([...this.#store.keys()].length, this.#model.keys.size);
    this.#compare();
  }
}

export function likeTheModel(open: OpenStore, freezes: readonly (<T>(value: T) => T)[], numRuns: number): void {
  fc.assert(
    fc.property(fc.constantFrom(...freezes), fc.array(command, { maxLength: 60, size: 'max' }), (freeze, commands) => {
      const pair = new Pair(open, freeze);
      for (const one of commands) pair.run(one);
      pair.end();
    }),
    { numRuns },
  );
}
