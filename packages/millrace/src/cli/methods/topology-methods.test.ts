import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { startTopology } from '../../engine/start.ts';
import { logSpout, map, topology, type } from '../../index.ts';
import { memoryLedger } from '../../ledger/memory.ts';
import { realRuntime } from '../../runtime/real.ts';
import { topologyMethods } from './topology-methods.ts';

const call = { item: async () => {}, signal: new AbortController().signal };

/** Numbers as text, of which 'bad' cannot be read; `fixed` says whether its codec and its bolt were mended. */
async function started(t: TestContext, fixed: { value: boolean }, entries: number) {
  const seen: number[] = [];
  const read = (payload: Uint8Array): number => {
    const n = Number(new TextDecoder().decode(payload));
    if (Number.isNaN(n) && !fixed.value) throw new Error('is no number');
    return Number.isNaN(n) ? -1 : n;
  };
  const numbers = logSpout<number>({
    emits: type<number>(),
    splits: () => ['s'],
    decode: read,
    open(task) {
      const lines = ['1', 'bad', '13', ''];
      let at = 0;
      return {
        seek() {},
        pause() {},
        resume() {},
        next() {
          for (; at < lines.length; at++) {
            const payload = new TextEncoder().encode(lines[at]);
            if (lines[at] === '') task.reject('s', at, at + 1, { cause: 'null', detail: 'is empty', payload: null });
            else if (lines[at] === 'bad')
              task.reject('s', at, at + 1, { cause: 'malformed', detail: 'is no number', payload });
            else task.emit('s', at, at + 1, read(payload), 1000 + at);
          }
          return false;
        },
        commit: async () => {},
      };
    },
  });
  const built = topology('numbers', (t) => {
    const raw = t.spout('in', numbers);
    const lucky = map((n: number) => {
      if (n === 13 && !fixed.value) throw new Error('unlucky');
      seen.push(n);
    });
    t.bolt('use', raw.shuffle(), lucky, { onError: { retries: 0 } });
  }).build();
  const runtime = realRuntime();
  const ledger = memoryLedger();
  const arrived = Promise.withResolvers<void>();
  const record = ledger.record.bind(ledger);
  const watched = {
    ...ledger,
    record: async (entry: Parameters<typeof record>[0]) => {
      await record(entry);
      if (ledger.list().length === entries) arrived.resolve();
    },
  };
  const resources = new Map();
  const options = { runtime, ledger: watched, resources, freeze: false, encodeEdges: false, log: () => {} } as const;
  const running = await startTopology(built, { ...options, guarantee: 'at-least-once' });
  t.after(() => running.kill());
  await arrived.promise;
  const own = { running, built, ledger, clock: runtime.clock, data: '/data' };
  const methods = topologyMethods(own);
  const entry = (cause: string) => ledger.list().find((e) => e.cause === cause)!;
  return { own, methods, seen, entry, entries: () => ledger.list(), running };
}

test('a replay runs values again where they fell out, and records through their codec, and marks them', async (t) => {
  const fixed = { value: false };
  const { methods, seen, entry, entries } = await started(t, fixed, 3);
  const replay = (cause: string) => methods['ledger.replay']({ id: entry(cause).id }, call);
  assert.deepEqual(seen, [1]);

  await assert.rejects(async () => replay('malformed'), {
    code: 'MR_LEDGER_ENTRY',
    message: /still cannot be read: is no number/,
  });
  await assert.rejects(async () => replay('null'), { code: 'MR_LEDGER_ENTRY', message: /had no value/ });
  await assert.rejects(async () => replay('error'), { code: 'MR_LOST_AGAIN', message: /'use'.+unlucky/ });
  assert.equal(entries().length, 3, 'what is lost again has its entry already');
  assert.equal(entry('error').replayed, undefined);

  fixed.value = true;
  await replay('malformed');
  await replay('error');
  assert.deepEqual(seen, [1, -1, 13]);
  assert.equal(typeof entry('malformed').replayed, 'number');
  assert.equal(typeof entry('error').replayed, 'number');
  await assert.rejects(async () => methods['ledger.replay']({ id: 'nope' }, call), /"nope" is not in the ledger/);
});

test('the verbs change the state and answer with it', async (t) => {
  const { methods, running } = await started(t, { value: true }, 2);
  const empty = {};
  assert.deepEqual(methods.deactivate(empty, call), { topology: 'numbers', state: 'inactive' });
  assert.deepEqual(methods.activate(empty, call), { topology: 'numbers', state: 'active' });
  const status = await methods.status(empty, call);
  assert.deepEqual([status.pid, status.data, status.metrics.topology], [process.pid, '/data', 'numbers']);
  assert.deepEqual(await methods.stop(empty, call), { topology: 'numbers', state: 'stopped' });
  await running.done;
});

test('a replay that is under way when the topology ends is answered', async (t) => {
  const { own, entry, running } = await started(t, { value: false }, 3);
  const held = { ...own, running: { name: 'numbers', done: running.done, replay: () => new Promise<void>(() => {}) } };
  const replay = topologyMethods(held as never)['ledger.replay']({ id: entry('error').id }, call);
  await running.kill();
  await assert.rejects(async () => replay, /was not done when the topology ended/);
});
