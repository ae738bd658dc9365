/**
 * A topology with a filesSink, started as epoch-files-zombie.test.ts says, in a thread that stands still before some of its
 * operations on the disk until it is told to go on. The checkpoints that are complete are lines of a file: an epoch and its
 * parent.
 */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMainThread, parentPort } from 'node:worker_threads';
import { fileStorage } from '@millrace/broker';
import { MillraceError } from '../../errors.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import type { Storage } from '../../runtime/storage.ts';
import { compareEpochs, type Epoch, epochText } from '../../topology/epoch.ts';
import { driveEpochs } from '../drive.ts';
import { filesSink } from './files-sink.ts';

export interface Start {
  readonly directory: string;
  readonly incarnation: number;
  /** How many epochs it makes. */
  readonly epochs: number;
}

export interface HeldStart extends Start {
  /** Chooses before which operations it stands still. */
  readonly seed: number;
  /** What it waits for: GO or DIE. */
  readonly word: Int32Array;
}

export const [WAIT, GO, DIE] = [0, 1, 2];
/** Of so many operations it stands still before one. */
const ONE_IN = 8;

class Dead extends Error {}

/** Each operation as soon as it may be; what has not been synced is not lost here. */
function interruptible(before: () => void): Storage {
  const real = fileStorage();
  const counted =
    <A extends unknown[], R>(operation: (...given: A) => R) =>
    (...given: A): R => {
      before();
      return operation(...given);
    };
  return {
    open(path, create) {
      before();
      const file = real.open(path, create);
      return { ...file, write: counted(file.write), truncate: counted(file.truncate), sync: counted(async () => {}) };
    },
    createNew: counted(real.createNew),
    list: counted(real.list),
    makeDirectory: counted(real.makeDirectory),
    rename: counted(real.rename),
    remove: counted(real.remove),
    syncDirectory: counted(async () => {}),
  };
}

export function lineage(directory: string): readonly Epoch[] {
  const lines = readFileSync(join(directory, 'checkpoints'), 'utf8').split('\n').slice(0, -1);
  const complete = lines.map((line) => {
    const [incarnation, number, ...parent] = line.split(' ').map(Number) as [number, number, number, number];
    return { epoch: { incarnation, number }, parent: { incarnation: parent[0], number: parent[1] } };
  });
  const found: Epoch[] = [];
  let next = complete.sort((a, b) => compareEpochs(b.epoch, a.epoch))[0];
  while (next !== undefined) {
    const { epoch, parent } = next;
    found.unshift(epoch);
    next = complete.find((other) => compareEpochs(other.epoch, parent) === 0);
  }
  return found;
}

/** As the engine starts: claim, see what is complete, publish what is left of it, and go on. MR_SINK_CLAIMED ends it. */
export async function live(start: Start, before: () => void = () => {}): Promise<void> {
  const { directory, incarnation, epochs } = start;
  const resources = { storage: interruptible(before) };
  const writer = await driveEpochs(filesSink<string>(join(directory, 'out')), { resources });
  try {
    const last = await writer.claim(incarnation);
    const complete = lineage(directory);
    for (const epoch of complete)
      if (last === undefined || compareEpochs(epoch, last) > 0) await writer.publish(epoch, [epochText(epoch)]);
    let parent = complete.at(-1) ?? { incarnation: 0, number: 0 };
    for (let i = 0; i < epochs; i++) {
      const epoch = { incarnation, number: parent.number + 1 };
      const ids = [epoch.incarnation, epoch.number, parent.incarnation, parent.number];
      appendFileSync(join(directory, 'checkpoints'), `${ids.join(' ')}\n`);
      await writer.publish(epoch, [epochText(epoch)]);
      parent = epoch;
    }
  } catch (thrown) {
    if (!(thrown instanceof MillraceError && thrown.code === 'MR_SINK_CLAIMED')) throw thrown;
  } finally {
    await writer.close();
  }
}

async function liveHeld(start: HeldStart): Promise<void> {
  const random = seededRandom(start.seed);
  let isDead = false;
  const hold = () => {
    if (!isDead && random() * ONE_IN < 1) {
      parentPort!.postMessage('holding');
      Atomics.wait(start.word, 0, WAIT);
      isDead = Atomics.exchange(start.word, 0, WAIT) === DIE;
    }
    if (isDead) throw new Dead();
  };
  await live(start, hold).catch((thrown: unknown) => {
    if (!isDead) throw thrown;
  });
  parentPort!.postMessage('ended');
}

if (!isMainThread) parentPort!.on('message', liveHeld);
