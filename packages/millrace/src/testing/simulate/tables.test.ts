import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualTime } from '../../runtime/virtual-time.ts';
import type { EpochWriter, Sink } from '../../topology/sink.ts';
import { sink } from '../../topology/sink.ts';
import { Process } from './process.ts';
import type { Mood } from './tables.ts';
import { Table } from './tables.ts';

const original = sink<number>({
  mode: 'transactional',
  batch: { size: 1, every: 0 },
  write() {},
  epochs: { open: () => ({ claim: async () => undefined, publish() {} }) },
});

function world() {
  const time = new VirtualTime(0);
  const { clock, timers } = time;
  const mood: { -readonly [M in keyof Mood]: Mood[M] } = { losesAnswers: false, refuses: false, delay: 2 };
  const violations: string[] = [];
  const violated = (what: string) => void violations.push(what);
  const table = new Table({ sink: 'table', timers, mood: () => mood, violated });
  const start = (): { readonly process: Process; readonly writer: EpochWriter<unknown> } => {
    const refuse = (what: string): never => {
      throw new Error(what);
    };
    const process = new Process({ name: 'one', clock, timers, random: () => 0, onStep: () => {}, refuse });
    return {
      process,
      writer: table
        .stand(original as unknown as Sink<never>, process)
        .epochs!.open({} as never) as EpochWriter<unknown>,
    };
  };
  const rows = () => table.rows.map(({ value }) => value);
  return { time, mood, violations, start, rows, until: <T>(promise: Promise<T>) => time.until(promise, 1000) };
}
const row = (value: number) => ({ value, time: 0 });

test('an older start publishes nothing once a newer one has claimed', async () => {
  const { start, rows, until } = world();
  const [older, newer] = [start().writer, start().writer];
  assert.equal(await until(older.claim(1)), undefined);
  await until(Promise.resolve(older.publish({ incarnation: 1, number: 1 }, [row(1)])));
  assert.deepEqual(await until(newer.claim(2)), { incarnation: 1, number: 1 });
  const late = Promise.resolve(older.publish({ incarnation: 1, number: 2 }, [row(2)]));
  await assert.rejects(until(late), { code: 'MR_SINK_CLAIMED' });
  await assert.rejects(until(older.claim(1)), { code: 'MR_SINK_CLAIMED' });
  assert.deepEqual(rows(), [1]);
});

test('an epoch whose answer was lost is there, and recognised when it comes again', async () => {
  const { start, rows, mood, until, violations } = world();
  const { writer } = start();
  await until(writer.claim(1));
  mood.losesAnswers = true;
  await assert.rejects(
    until(Promise.resolve(writer.publish({ incarnation: 1, number: 1 }, [row(1)]))),
    /answer .* was lost/,
  );
  mood.losesAnswers = false;
  await until(Promise.resolve(writer.publish({ incarnation: 1, number: 1 }, [row(1)])));
  mood.refuses = true;
  await assert.rejects(until(Promise.resolve(writer.publish({ incarnation: 1, number: 2 }, [row(2)]))), /refuses/);
  assert.deepEqual([rows(), violations], [[1], []]);
});

test('what was asked before the process died is done, and nobody hears of it', async () => {
  const { start, rows, time, until } = world();
  const { process, writer } = start();
  await until(writer.claim(1));
  let answered = false;
  void Promise.resolve(writer.publish({ incarnation: 1, number: 1 }, [row(1)])).then(() => (answered = true));
  process.kill();
  await time.advance(10);
  assert.deepEqual([rows(), answered], [[1], false]);
});

test('epochs that come out of their order end the simulation', async () => {
  const { start, until, violations } = world();
  const { writer } = start();
  await until(writer.claim(1));
  for (const number of [2, 1]) await until(Promise.resolve(writer.publish({ incarnation: 1, number }, [row(number)])));
  assert.deepEqual(violations, ["sink 'table' was given epoch 1.1 after 1.2"]);
});
