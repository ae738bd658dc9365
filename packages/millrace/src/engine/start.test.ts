import assert from 'node:assert/strict';
import { test } from 'node:test';
import { structured } from '../codec/structured.ts';
import type { MessageId, QueueReader, Tuple } from '../index.ts';
import { asyncBolt, bolt, flatMap, manualBolt, sink, spout, topology, type } from '../index.ts';
import { memoryLedger } from '../ledger/memory.ts';
import { ArraySource, startVirtual } from '../testing/start-virtual.ts';

const numbers = (n: number) => Array.from({ length: n }, (_, i) => i);

test('a failed record of a log is replayed from memory, and its position is committed only when it is done', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(5) }, true);
  const seen: number[] = [];
  let fails = 2;
  const t = topology('replay', (b) => {
    const picky = manualBolt({
      prepare: ({ ack, fail }) => ({
        execute(tuple: Tuple<number>) {
          seen.push(tuple.value);
          if (tuple.value === 1 && fails-- > 0) fail(tuple, new Error('not now'));
          else ack(tuple);
        },
        flush() {},
      }),
    });
    b.bolt('picky', b.spout('s', source.spout, { onError: { backoff: '5s' } }).shuffle(), picky);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.advance('2s');
  assert.deepEqual(seen, [0, 1, 2, 3, 4]);
  assert.equal(source.committed.get('a'), 1, 'all below the open record');
  await runtime.advance('20s');
  assert.deepEqual(seen.slice(5), [1, 1]);
  assert.equal(source.committed.get('a'), 5);
  const { acked, failed, pending } = running.metrics().components[0]!;
  assert.deepEqual([acked, failed, pending], [5, 2, 0]);
});

test('what fails beyond the replay limit goes to the ledger with its origin', async () => {
  const source = new ArraySource(type<number>(), { a: [7] });
  const t = topology('hopeless', (b) => {
    const no = manualBolt({
      prepare: ({ fail }) => ({ execute: (tuple: Tuple<number>) => fail(tuple, 'never'), flush() {} }),
    });
    b.bolt('no', b.spout('s', source.spout, { onError: { retries: 2 } }).shuffle(), no);
  });
  const { runtime, running, ledger } = await startVirtual(t);
  await runtime.until(running.done);
  const [entry] = ledger.list();
  assert.equal(entry!.component, 's');
  assert.deepEqual(entry!.origin, { spout: 's', split: 'a', position: 0 });
  assert.equal(source.committed.get('a'), 1);
});

test('one record that does not end pauses its split at the bound; other splits go on (law 9)', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(500), b: numbers(40) });
  let first: Tuple<number> | undefined;
  let done = 0;
  let acker: (tuple: Tuple<unknown>) => void = () => {};
  const t = topology('stuck', (b) => {
    const bolt = manualBolt({
      prepare: ({ ack }) => {
        acker = ack;
        return {
          execute(tuple: Tuple<number>) {
            done++;
            if (first === undefined) first = tuple;
            else ack(tuple);
          },
          flush() {},
        };
      },
    });
    b.bolt('holds', b.spout('s', source.spout, { maxPending: 50 }).shuffle(), bolt);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.advance('10s');
  assert.equal(source.asked[0], 'pause a');
  assert.ok(done >= 90 && done <= 140, `${done} records were executed`);
  assert.equal(source.committed.get('b'), 40);
  assert.equal(source.committed.has('a'), false);
  acker(first!);
  await runtime.until(running.done);
  assert.ok(source.asked.includes('resume a'));
  assert.equal(source.committed.get('a'), 500);
});

test('at-most-once notes positions before it sends off, and replays nothing', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(10) });
  const committedWhenSeen: (number | undefined)[] = [];
  const t = topology('once', (b) => {
    const picky = manualBolt({
      prepare: ({ fail }) => ({
        execute(tuple: Tuple<number>) {
          committedWhenSeen.push(source.committed.get('a'));
          fail(tuple);
        },
        flush() {},
      }),
    });
    b.bolt('picky', b.spout('s', source.spout).shuffle(), picky);
  });
  const { runtime, running } = await startVirtual(t, { guarantee: 'at-most-once' });
  await runtime.until(running.done);
  assert.deepEqual(committedWhenSeen, numbers(10).fill(10));
});

test('deactivate stops the spouts and lets what is inside flow on; activate goes on', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(2000) }, true);
  let count = 0;
  const t = topology('pausing', (b) => {
    const execute = (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 1));
    const slow = asyncBolt({ concurrency: 1, execute });
    b.bolt(
      'count',
      b.bolt('slow', b.spout('s', source.spout).shuffle(), slow, { queue: 20 }).shuffle(),
      () => void count++,
    );
  });
  const { runtime, running } = await startVirtual(t);
  running.deactivate();
  await runtime.advance('1s');
  const taken = source.taken;
  assert.equal(running.state, 'inactive');
  assert.ok(taken < 2000);
  assert.equal(count, taken, 'what was taken came out');
  running.activate();
  await runtime.advance('5s');
  assert.equal(count, 2000);
  assert.equal(running.state, 'active');
});

test('stop drains: spouts stop, promises end, batches are written, positions are committed, everything is closed', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(30) }, true);
  const written: number[] = [];
  const events: string[] = [];
  const t = topology('draining', (b) => {
    const slow = asyncBolt({
      concurrency: 8,
      execute: (n: number) => new Promise<number>((resolve) => setTimeout(() => resolve(n), 5000)),
    });
    const out = b.bolt('slow', b.spout('s', source.spout).shuffle(), slow);
    const noting = bolt({
      emits: type<number>(),
      prepare: ({ emit }) => ({
        execute: (n: number) => emit(n),
        flush: () => emit(-1),
        cleanup: () => void events.push('cleanup'),
      }),
    });
    b.sink(
      'out',
      b.bolt('noting', out.shuffle(), noting).shuffle(),
      sink<number>({
        mode: 'append',
        batch: { size: 1000, every: '1h' },
        open: () => ({
          write: (values) => void written.push(...values),
          close: () => void events.push(`closed after ${written.length}`),
        }),
      }),
    );
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.settle();
  await runtime.until(runtime.within(() => running.stop()));
  assert.equal(running.state, 'stopped');
  assert.deepEqual(written, [...numbers(30), -1], 'flush came after the last input');
  assert.equal(source.committed.get('a'), 30);
  assert.deepEqual(events, ['cleanup', 'closed after 31']);
  await running.done;
});

test('kill leaves at once: nothing more is executed or committed', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(30) }, true);
  let aborted = 0;
  let results = 0;
  const t = topology('killed', (b) => {
    const slow = asyncBolt({
      concurrency: 8,
      execute: (n: number, { signal }) =>
        new Promise<number>((resolve) => {
          signal.addEventListener('abort', () => void aborted++);
          setTimeout(() => resolve(n), 5000);
        }),
    });
    b.bolt('count', b.bolt('slow', b.spout('s', source.spout).shuffle(), slow).shuffle(), () => void results++);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.settle();
  await runtime.until(running.kill());
  await runtime.advance('1m');
  assert.deepEqual([running.state, aborted, results, source.committed.size], ['killed', 8, 0, 0]);
  await running.done;
});

test('the end of all spouts completes the topology, replays included', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(3), b: numbers(3) });
  let fails = 1;
  const t = topology('bounded', (b) => {
    const once = manualBolt({
      prepare: ({ ack, fail }) => ({
        execute: (tuple: Tuple<number>) => (tuple.value === 2 && fails-- > 0 ? fail(tuple) : ack(tuple)),
        flush() {},
      }),
    });
    b.bolt('once', b.spout('s', source.spout, { parallelism: 2 }).shuffle(), once, { parallelism: 2 });
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.equal(running.state, 'completed');
  assert.deepEqual(Object.fromEntries(source.committed), { a: 3, b: 3 });
});

test('a source that throws is asked again after its backoff, and stops the topology when it stays broken', async () => {
  let calls = 0;
  const broken = (): QueueReader => ({
    nextTuple() {
      calls++;
      throw new Error('connection lost');
    },
  });
  const t = topology('broken', (b) => {
    const s = b.spout('s', spout({ emits: type<number>(), open: broken }), { onError: { retries: 2, backoff: '1s' } });
    b.bolt('x', s.shuffle(), () => {});
  });
  const { runtime, running, log } = await startVirtual(t);
  await assert.rejects(runtime.until(running.done), {
    code: 'MR_SOURCE',
    message: "spout 's' cannot go on: connection lost",
  });
  assert.equal(calls, 3);
  assert.equal(log.length, 2);
});

test('a resource that the run does not offer, a missing handler, and a tick without a handler stop the start', async () => {
  const source = new ArraySource(type<number>(), { a: [] });
  const needsLog = sink<number>({
    mode: 'append',
    batch: { size: 1, every: 0 },
    open: (task) => task.use<{ write(values: readonly number[]): void }>({ name: 'log' }),
  });
  const opening = topology('resource', (b) => b.sink('out', b.spout('s', source.spout).shuffle(), needsLog));
  await assert.rejects(startVirtual(opening), { code: 'MR_RESOURCE' });
  assert.equal(source.asked.at(-1), undefined, 'the spout was never opened');
  const handlers = { prepare: () => ({ execute: { known(_: number) {} } }) };
  const missing = topology('missing', (b) => {
    const s = b.spout('s', source.spout);
    b.bolt('b', { known: s.shuffle(), other: s.shuffle() } as never, bolt(handlers) as never);
  });
  await assert.rejects(startVirtual(missing), { code: 'MR_MISSING_HANDLER', message: /'other'.*'known'/ });
  const tickless = topology('tickless', (b) => {
    b.bolt('b', b.spout('s', source.spout).shuffle(), () => {}, { tick: '1s' });
  });
  await assert.rejects(startVirtual(tickless), { code: 'MR_TICK_WITHOUT_HANDLER' });
});

test('a ledger that cannot be written stops the topology: a record is never lost silently', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  const t = topology('ledgerless', (b) => {
    b.bolt(
      'bad',
      b.spout('s', source.spout).shuffle(),
      () => {
        if (source.taken > 0) throw new Error('bad');
      },
      { onError: { retries: 0 } },
    );
  });
  const ledger = { ...memoryLedger(), record: () => Promise.reject(new Error('disk full')) };
  const { runtime, running } = await startVirtual(t, { ledger });
  await assert.rejects(runtime.until(running.done), { code: 'MR_LEDGER', message: /disk full/ });
  assert.equal(source.committed.size, 0);
});

test('a value replayed from the ledger enters at its component by its grouping', async () => {
  const source = new ArraySource(type<string>(), { a: [] }, true);
  const got: [number, string][] = [];
  const t = topology('replaying', (b) => {
    const where = bolt({ prepare: ({ index }) => ({ execute: (v: string) => void got.push([index, v]) }) });
    b.bolt(
      'keyed',
      b.spout('s', source.spout).keyBy((v) => v),
      where,
      { parallelism: 4 },
    );
  });
  const { runtime, running } = await startVirtual(t);
  for (const key of ['x', 'y', 'x']) await runtime.until(running.replay('keyed', undefined, key, 1));
  assert.equal(got.length, 3);
  assert.deepEqual(got[0], got[2]);
});

test('what a flatMap or an asynchronous bolt could not take names its input, so that it can be replayed', async () => {
  const source = new ArraySource(type<number>(), { a: [1] }, true);
  const fails = () => {
    throw new Error('no');
  };
  const t = topology('named', (b) => {
    const s = b.spout('s', source.spout);
    const options = { onError: { retries: 0 } };
    b.bolt('flat', { left: s.shuffle() } as never, flatMap(fails), options);
    b.bolt(
      'async',
      { right: s.shuffle() } as never,
      asyncBolt({ concurrency: 1, execute: async () => fails() }),
      options,
    );
  });
  const { runtime, ledger } = await startVirtual(t);
  await runtime.settle();
  assert.deepEqual(
    ledger
      .list()
      .map((e) => [e.component, e.input])
      .sort(),
    [
      ['async', 'right'],
      ['flat', 'left'],
    ],
  );
});

test('a queue spout may reject a record that it cannot read; a timer of a killed topology never fires', async () => {
  const bad = new Uint8Array([0xff]);
  const source = spout({
    emits: type<number>(),
    open: ({ reject, emit }) => ({
      nextTuple() {
        reject({ cause: 'malformed', detail: 'not a number', payload: bad });
        emit(1);
        return false;
      },
    }),
  });
  let tries = 0;
  const t = topology('rejecting', (b) => {
    const s = b.spout('s', source);
    const never = () => {
      tries++;
      throw new Error('never');
    };
    b.bolt('never', s.shuffle(), never, { onError: { backoff: '1h' } });
  });
  const { runtime, running, ledger } = await startVirtual(t);
  const [entry] = ledger.list();
  assert.deepEqual([entry!.cause, entry!.encoding, entry!.payload], ['malformed', 'record', bad]);
  await runtime.until(running.kill());
  await runtime.advance('10h');
  assert.equal(tries, 1);
});

test('untracked tuples flow, and a queue spout may emit on fail', async () => {
  const failed: MessageId[] = [];
  const seen: number[] = [];
  const source = spout({
    emits: type<number>(),
    open: ({ emit, end }) => {
      let given = false;
      return {
        nextTuple() {
          if (given) return false;
          given = true;
          emit(1);
          emit(2, 'two');
          return false;
        },
        fail(id) {
          failed.push(id);
          emit(3, 'three');
        },
        ack() {
          end();
        },
      };
    },
  });
  const t = topology('queue', (b) => {
    const picky = manualBolt({
      prepare: ({ ack, fail }) => ({
        execute(tuple: Tuple<number>) {
          seen.push(tuple.value);
          if (tuple.value === 2) fail(tuple);
          else ack(tuple);
        },
        flush() {},
      }),
    });
    b.bolt('picky', b.spout('s', source).shuffle(), picky);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual([seen, failed], [[1, 2, 3], ['two']]);
});

test('a replay that loses the same values in another order adds no entry, and none is missing (law 8)', async () => {
  const source = new ArraySource(type<number>(), { a: [1] });
  let fails = 1;
  const t = topology('reordered', (b) => {
    const s = b.spout('s', source.spout);
    const first = manualBolt({
      emits: type<number>(),
      prepare: ({ emit, ack, fail }) => ({
        execute(tuple: Tuple<number>) {
          if (fails-- > 0) return fail(tuple);
          emit(tuple.value + 1, [tuple]);
          ack(tuple);
        },
        flush() {},
      }),
    });
    const inputs = { direct: s.shuffle(), late: b.bolt('first', s.shuffle(), first).shuffle() };
    const no = () => {
      throw new Error('no');
    };
    b.bolt('no', inputs, no, { onError: { retries: 0 } });
  });
  const { runtime, running, ledger } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual(
    ledger
      .list()
      .map(({ payload }) => structured.decode(payload!))
      .sort(),
    [1, 2],
  );
});

test('replays wait while a queue downstream is full (law 9)', async () => {
  const source = new ArraySource(type<number>(), { a: numbers(12) });
  const failed = new Set<number>();
  let most = 0;
  const t = topology('replays', (b) => {
    const picky = manualBolt({
      emits: type<number>(),
      prepare: ({ emit, ack, fail }) => ({
        execute(tuple: Tuple<number>) {
          const { value } = tuple;
          if (value < 8 && !failed.has(value)) {
            failed.add(value);
            return fail(tuple);
          }
          emit(value, [tuple]);
          ack(tuple);
        },
        flush() {},
      }),
    });
    const s = b.spout('s', source.spout, { onError: { backoff: 5 } });
    const slow = asyncBolt({
      concurrency: 1,
      execute: () => new Promise<void>((resolve) => setTimeout(resolve, 10)),
    });
    b.bolt('slow', b.bolt('picky', s.shuffle(), picky).shuffle(), slow, { queue: 2 });
  });
  const { runtime, running } = await startVirtual(t);
  while (running.state !== 'completed') {
    await runtime.advance(1);
    most = Math.max(most, running.metrics().components[2]!.queued);
  }
  assert.equal(failed.size, 8);
  assert.equal(most, 3);
});
