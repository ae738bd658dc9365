import assert from 'node:assert/strict';
import { test } from 'node:test';
import { structured } from '../codec/structured.ts';
import { deepFreeze } from './freeze.ts';

test('a frozen value refuses every change, also of what it holds in maps, sets and dates (law 10)', () => {
  const value = deepFreeze({
    list: [{ n: 1 }],
    map: new Map([[{ k: 1 }, { n: 1 }]]),
    set: new Set([{ n: 1 }]),
    date: new Date(5),
    [Symbol.for('s')]: { n: 1 },
  });
  const [key, held] = [...value.map][0]!;
  const [member] = [...value.set];
  const changes: readonly (() => unknown)[] = [
    () => value.list.push({ n: 2 }),
    () => (value.list[0]!.n = 2),
    () => value.map.set({ k: 2 }, { n: 2 }),
    () => value.map.delete(key),
    () => value.map.clear(),
    () => (key.k = 2),
    () => (held.n = 2),
    () => value.set.add({ n: 2 }),
    () => value.set.clear(),
    () => (member!.n = 2),
    () => value.date.setTime(6),
    () => value.date.setUTCFullYear(2000),
    () => (value[Symbol.for('s') as never] as { n: number }).n++,
  ];
  const before = structured.encode(value);
  for (const change of changes) assert.throws(change, TypeError, String(change));
  assert.deepEqual(structured.encode(value), before);
});

test('a frozen value is otherwise what it was: it equals its copy, and a copy of it can be changed', () => {
  const value = { map: new Map([['a', 1]]), set: new Set([1]), date: new Date(5) };
  const copy = structuredClone(value);
  deepFreeze(value);
  assert.deepEqual(value, copy);
  const again = structured.decode(structured.encode(value)) as typeof value;
  assert.deepEqual(again, copy);
  again.map.set('b', 2);
  again.date.setTime(6);
  assert.deepEqual(new Map(value.map).set('b', 2), again.map);
});
