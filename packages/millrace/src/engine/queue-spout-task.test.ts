import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MessageId, Tuple } from '../index.ts';
import { manualBolt, spout, topology, type } from '../index.ts';
import { startVirtual } from '../testing/start-virtual.ts';

test('a tuple that fails at once and is emitted again at once does not keep the thread', async () => {
  let emitted = 0;
  let emittedBefore: number | undefined;
  const source = spout({
    emits: type<number>(),
    open: ({ emit, end }) => ({
      nextTuple() {
        if (emitted === 0) {
          emit(emitted++, 'poison');
          Promise.resolve().then(() => {
            emittedBefore = emitted;
          });
        }
        return false;
      },
      fail(id: MessageId) {
        if (++emitted < 5000) emit(emitted, id);
        else end();
      },
    }),
  });
  const t = topology('poison', (b) => {
    const no = manualBolt({
      prepare: ({ fail }) => ({ execute: (tuple: Tuple<number>) => fail(tuple), flush() {} }),
    });
    b.bolt('no', b.spout('s', source).shuffle(), no);
  });
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.ok(emittedBefore! < 5000, `${emittedBefore} were emitted before others had their turn`);
  assert.equal(running.metrics().components[0]!.failed, 4999);
});

test('a wake from within nextTuple is not lost', async () => {
  let calls = 0;
  const source = spout({
    emits: type<number>(),
    open: ({ emit, wake, end }) => ({
      nextTuple() {
        if (++calls === 1) wake();
        else {
          emit(1);
          end();
        }
        return false;
      },
    }),
  });
  const got: number[] = [];
  const t = topology('woken', (b) => void b.bolt('got', b.spout('s', source).shuffle(), (n) => void got.push(n)));
  const { runtime, running } = await startVirtual(t);
  await runtime.until(running.done);
  assert.deepEqual(got, [1]);
});
