import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Clock, openLog } from '@millrace/broker';
import { FaultyStorage } from '@millrace/broker/testing';
import fc from 'fast-check';
import { MillraceError } from '../errors.ts';
import type { Epoch } from '../topology/epoch.ts';
import type { Task } from '../topology/task.ts';
import { embeddedTopicLog } from './embedded.ts';
import { type MemoryTopicLog, memoryTopicLog } from './memory-topic-log.ts';
import { TopicEpochs } from './topic-epochs.ts';
import type { NewRecord, TopicLog } from './topic-log.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (value: Uint8Array | null) => new TextDecoder().decode(value!);
const records = (epoch: Epoch, count = 3): NewRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    key: bytes(`k${i}`),
    value: bytes(`${epoch.incarnation}.${epoch.number}:${i}`),
    timestamp: 1,
  }));

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271 + 11) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const random = randomFrom(1);
function writerOn(log: TopicLog, names: Partial<Pick<Task, 'topology' | 'component'>> = {}): TopicEpochs {
  const task = { topology: 'job', component: 'out', ...names, use: () => log, random } as unknown as Task;
  return new TopicEpochs(task, 'out');
}

const epoch = (incarnation: number, number: number): Epoch => ({ incarnation, number });
const claimed = (own: number, newest: number) => ({
  code: 'MR_SINK_CLAIMED',
  message: new RegExp(`'out'.*topic 'out'.*start ${own} .*start ${newest} `),
});

async function log(): Promise<MemoryTopicLog> {
  const made = memoryTopicLog();
  await made.ensureTopic({ name: 'out' });
  return made;
}

/** Epochs that are there, in order; each must be there whole. */
function published(of: MemoryTopicLog): string[] {
  const values = of.records('out').flatMap((all) => all.map(({ value }) => text(value)));
  const epochs = [...Map.groupBy(values, (value) => value.split(':')[0]!)];
  for (const [name, parts] of epochs) assert.equal(parts.length, 3, `${name} is there ${parts.length} of 3 times`);
  return epochs.map(([name]) => name);
}

test('whoever claims is told what was published last, by whichever start', async () => {
  const memory = await log();
  const first = writerOn(memory);
  assert.equal(await first.claim(1), undefined);
  const second = writerOn(memory);
  assert.equal(await second.claim(2), undefined, 'a claim publishes nothing');
  await second.publish(epoch(2, 1), records(epoch(2, 1)));
  await second.publish(epoch(2, 2), records(epoch(2, 2)));
  const third = writerOn(memory);
  assert.deepEqual(await third.claim(5), epoch(2, 2));
  const fourth = writerOn(memory);
  assert.deepEqual(await fourth.claim(6), epoch(2, 2), 'the claims between have not covered it');
  assert.deepEqual(published(memory), ['2.1', '2.2']);
});

test('an older start publishes nothing once a newer one has claimed, and is told which', async () => {
  const memory = await log();
  const [old, young] = [writerOn(memory), writerOn(memory)];
  await old.claim(3);
  await old.publish(epoch(3, 1), records(epoch(3, 1)));
  await young.claim(4);
  await assert.rejects(async () => old.publish(epoch(3, 2), records(epoch(3, 2))), claimed(3, 4));
  await assert.rejects(async () => old.publish(epoch(3, 2), records(epoch(3, 2))), claimed(3, 4));
  await young.publish(epoch(4, 2), records(epoch(4, 2)));
  assert.deepEqual(published(memory), ['3.1', '4.2']);
});

test('an older start that wakes up and claims last is refused, and the newer one goes on', async () => {
  const memory = await log();
  const [old, young] = [writerOn(memory), writerOn(memory)];
  await young.claim(4);
  await assert.rejects(old.claim(3), claimed(3, 4));
  await young.publish(epoch(4, 1), records(epoch(4, 1)));
  await assert.rejects(old.claim(3), claimed(3, 4));
  await young.publish(epoch(4, 2), records(epoch(4, 2)));
  assert.deepEqual(published(memory), ['4.1', '4.2']);
});

test('another start of the same number, as after the loss of the checkpoints, is refused', async () => {
  const memory = await log();
  const [one, other] = [writerOn(memory), writerOn(memory)];
  await one.claim(1);
  await assert.rejects(other.claim(1), claimed(1, 1));
  await one.publish(epoch(1, 1), records(epoch(1, 1)));
  assert.deepEqual(published(memory), ['1.1']);
});

for (const what of ['call', 'answer'] as const) {
  test(`a publication whose ${what} is lost may be tried again, and is there once`, async () => {
    const memory = await log();
    const writer = writerOn(memory);
    await writer.claim(1);
    memory.failNext(new Error('lost'), what);
    await assert.rejects(async () => writer.publish(epoch(1, 1), records(epoch(1, 1))), /lost/);
    await writer.publish(epoch(1, 1), records(epoch(1, 1)));
    await writer.publish(epoch(1, 2), records(epoch(1, 2)));
    assert.deepEqual(published(memory), ['1.1', '1.2']);
  });

  test(`a claim whose ${what} is lost may be tried again`, async () => {
    const memory = await log();
    const writer = writerOn(memory);
    memory.failNext(new Error('lost'), what);
    await assert.rejects(writer.claim(1), /lost/);
    assert.equal(await writer.claim(1), undefined);
    await writer.publish(epoch(1, 1), records(epoch(1, 1)));
    assert.deepEqual(published(memory), ['1.1']);
  });
}

test('sinks whose names differ only in where their dots belong do not meet', async () => {
  const memory = await log();
  const [one, other] = [
    writerOn(memory, { topology: 'a.b', component: 'c' }),
    writerOn(memory, { topology: 'a', component: 'b.c' }),
  ];
  await one.claim(1);
  await one.publish(epoch(1, 1), records(epoch(1, 1)));
  assert.equal(await other.claim(1), undefined);
});

test('a control topic that would lose what it is told is refused', async () => {
  const memory = await log();
  await memory.ensureTopic({ name: '__millrace_epochs', config: { 'cleanup.policy': 'delete' } });
  await assert.rejects(writerOn(memory).claim(1), {
    code: 'MR_CONTROL_TOPIC',
    message: /'__millrace_epochs' has cleanup.policy=delete and needs compact/,
  });
});

type Step =
  | { readonly kind: 'claim'; readonly writer: number }
  | { readonly kind: 'publish'; readonly writer: number }
  | { readonly kind: 'fail'; readonly what: 'call' | 'answer' }
  | { readonly kind: 'wait'; readonly turns: number };

const WRITERS = 4;
const writerIndex = fc.nat({ max: WRITERS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('claim' as const), writer: writerIndex }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('publish' as const), writer: writerIndex }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('fail' as const), what: fc.constantFrom('call', 'answer') }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wait' as const), turns: fc.nat({ max: 40 }) }) },
);

/** A start of the topology: it publishes what follows on what its claim has told, and tries again what has failed. */
class Start {
  readonly incarnation: number;
  readonly writer: TopicEpochs;
  state: 'new' | 'busy' | 'claimed' | 'over' = 'new';
  tried = false;
  next = 1;

  constructor(memory: MemoryTopicLog, incarnation: number) {
    this.incarnation = incarnation;
    this.writer = writerOn(memory);
  }

  async claim(history: string[]): Promise<void> {
    if (this.state !== 'new') return;
    this.tried = true;
    this.state = 'busy';
    await this.attempt('new', async () => {
      const last = await this.writer.claim(this.incarnation);
      history.push(`claimed ${this.incarnation}`);
      this.next = (last?.number ?? 0) + 1;
    });
  }

  async publish(history: string[]): Promise<void> {
    if (this.state !== 'claimed') return;
    this.state = 'busy';
    await this.attempt('claimed', async () => {
      const one = epoch(this.incarnation, this.next);
      await this.writer.publish(one, records(one));
      history.push(`published ${this.incarnation}`);
      this.next++;
    });
  }

  private async attempt(before: 'new' | 'claimed', work: () => Promise<void>): Promise<void> {
    try {
      await work();
      this.state = 'claimed';
    } catch (thrown) {
      const isOver = thrown instanceof MillraceError && thrown.code === 'MR_SINK_CLAIMED';
      assert.ok(isOver || (thrown as Error).message === 'lost', String(thrown));
      this.state = isOver ? 'over' : before;
    }
  }
}

test('starts that claim and publish side by side, in any order, with calls and answers lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60 }), async (steps) => {
      const memory = await log();
      const starts = Array.from({ length: WRITERS }, (_, i) => new Start(memory, i + 1));
      const history: string[] = [];
      const running: Promise<void>[] = [];
      for (const now of steps) {
        if (now.kind === 'claim') running.push(starts[now.writer]!.claim(history));
        else if (now.kind === 'publish') running.push(starts[now.writer]!.publish(history));
        else if (now.kind === 'fail') memory.failNext(new Error('lost'), now.what);
        else for (let turn = 0; turn < now.turns; turn++) await undefined;
      }
      await Promise.all(running);
      const there = published(memory).map((name) => name.split('.').map(Number) as [number, number]);
      // One line of epochs, made by starts that only get newer: nothing twice, nothing left out, nothing by a zombie.
      assert.deepEqual(
        there.map(([, number]) => number),
        there.map((_, i) => i + 1),
      );
      for (let i = 1; i < there.length; i++) assert.ok(there[i]![0] >= there[i - 1]![0], String(there));
      let newest = 0;
      for (const line of history) {
        const [what, incarnation] = line.split(' ') as [string, string];
        if (what === 'claimed') newest = Math.max(newest, Number(incarnation));
        else assert.ok(Number(incarnation) >= newest, `${history.join(', ')}`);
      }
      // The newest that has tried can go on, whatever older ones have done meanwhile.
      const last = starts.findLast(({ tried }) => tried);
      if (!last) return;
      memory.failNext(new Error('lost'), 'answer');
      for (let more = 0; more < 3; more++) {
        await last.claim(history);
        await last.publish(history);
      }
      assert.equal(last.state, 'claimed');
      assert.ok(published(memory).length > there.length);
    }),
    { numRuns: 300, seed: 20_261_121 },
  );
});

const DIRECTORY = '/data';
const EPOCHS = 3;

/** Nothing happens by time but what somebody waits for. */
function patientClock(): Clock {
  let now = 1_000;
  return {
    now: () => now,
    setTimer(ms, run, background) {
      if (background) return () => {};
      const timer = setImmediate(() => {
        now += ms;
        run();
      });
      return () => clearImmediate(timer);
    },
  };
}

/**
 * One life of a topology over the embedded log: it claims, and publishes all epochs that are not there yet, which must be
 * those after `least` at most. Gives the last one that it was told is there.
 */
async function live(storage: FaultyStorage, incarnation: number, least: number, random: () => number): Promise<number> {
  let done = least;
  try {
    const opened = await openLog({ directory: DIRECTORY, storage, clock: patientClock(), random });
    const topics = embeddedTopicLog(opened);
    await topics.ensureTopic({ name: 'out', partitions: 2 });
    const writer = writerOn(topics);
    const last = (await writer.claim(incarnation))?.number ?? 0;
    assert.ok(last >= least, `${least} was published, and ${last} is what the log knows of`);
    for (done = last; done < EPOCHS; done++)
      await writer.publish(epoch(incarnation, done + 1), records(epoch(1, done + 1), 6));
    await topics.close();
    await opened.close();
  } catch (thrown) {
    if (storage.cutAt === undefined || thrown instanceof assert.AssertionError) throw thrown;
  }
  return done;
}

async function valuesOf(storage: FaultyStorage): Promise<string[]> {
  const opened = await openLog({ directory: DIRECTORY, storage });
  const values = [0, 1].flatMap((partition) => {
    const { earliest, latest } = opened.offsets('out', partition);
    const found: string[] = [];
    for (let offset = earliest; offset < latest; ) {
      const read = opened.read('out', partition, offset);
      found.push(...read.records.map(({ value }) => text(value)));
      offset = read.nextOffset;
    }
    const numbers = found.map((value) => Number(value.split(/[.:]/)[1]));
    assert.deepEqual(numbers, [...numbers].sort(), 'in order');
    return found;
  });
  await opened.close();
  return values.sort();
}

test('wherever the power goes, the next start goes on where the log says, and each epoch is there once', async () => {
  const calm = new FaultyStorage();
  await live(calm, 1, 0, randomFrom(1));
  const wanted = Array.from({ length: EPOCHS }, (_, i) => records(epoch(1, i + 1), 6).map(({ value }) => text(value!)));
  assert.deepEqual(await valuesOf(calm), wanted.flat().sort());
  for (let cutAt = 1; cutAt <= calm.operations; cutAt++) {
    const chance = randomFrom(cutAt);
    const cut = new FaultyStorage();
    cut.cutAt = cutAt;
    const first = await live(cut, 1, 0, chance);
    const again = cut.afterPowerCut(chance);
    again.cutAt = 1 + Math.floor(chance() * calm.operations);
    const second = await live(again, 2, first, chance);
    const last = again.afterPowerCut(chance);
    await live(last, 3, second, chance);
    assert.deepEqual(await valuesOf(last), wanted.flat().sort(), `cut at ${cutAt}, and at ${again.cutAt}`);
  }
});
