/**
 * Crashes at every operation on the disk, by kill and by power cut, and again while the next start cleans up. A consumer
 * takes files away all the time. In the end it has seen each epoch, whole, and once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FaultyStorage } from '@millrace/broker/testing';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { compareEpochs, type Epoch } from '../../topology/epoch.ts';
import { driveEpochs } from '../drive.ts';
import { filesSink } from './files-sink.ts';

const FOLDER = '/data/out';
const sink = filesSink<string>(FOLDER);

type Disk = 'kept as written' | 'torn';

/** What checkpoints keep between two starts, and what the consumer has. */
class World {
  readonly complete: { readonly epoch: Epoch; readonly lines: readonly string[] }[] = [];
  /** Published, as the engine was told. */
  told: Epoch | undefined;
  /** Taken away for good: the consumer has synced the folder since. */
  readonly taken = new Map<string, string>();
  /** Seen, and maybe not gone for good: after a crash the file may be there. */
  readonly taking = new Map<string, string>();
  incarnation = 0;

  newEpoch(): { readonly epoch: Epoch; readonly lines: readonly string[] } {
    const count = this.complete.length + 1;
    // Several digits that all change, so that a torn mark can be that of another epoch.
    const number = 1111 * count;
    const lines = Array.from({ length: count % 3 === 0 ? 120 : 2 }, (_, i) => `line ${i} of epoch ${number}`);
    const made = { epoch: { incarnation: this.incarnation, number }, lines };
    this.complete.push(made);
    return made;
  }
}

/** One start: takes over, publishes what its predecessor has left, and some epochs of its own. */
async function live(storage: FaultyStorage, world: World, random: () => number, epochs: number): Promise<void> {
  const incarnation = ++world.incarnation;
  const writer = await driveEpochs(sink, { resources: { storage } });
  const last = await writer.claim(incarnation);
  if (last) assert.ok(world.complete.some(({ epoch }) => compareEpochs(epoch, last) === 0));
  if (world.told) assert.ok(last && compareEpochs(last, world.told) >= 0, 'what it said is published stays so');
  world.told = last;
  const left = world.complete.filter(({ epoch }) => last === undefined || compareEpochs(epoch, last) > 0);
  for (const { epoch } of left) assert.ok(!visible(storage).some((name) => name.includes(nameOf(epoch))));
  for (const each of [...left, ...Array.from({ length: epochs }, () => undefined)]) {
    const { epoch, lines } = each ?? world.newEpoch();
    await writer.publish(epoch, lines);
    world.told = epoch;
    if (random() < 0.7) await consume(storage, world, random);
  }
  await writer.close();
}

/** Takes some of what is there. The file's name is in its content, so a torn one, or a wrong one, is known. */
async function consume(storage: FaultyStorage, world: World, random: () => number): Promise<void> {
  for (const name of visible(storage)) {
    if (random() < 0.2) continue;
    assert.ok(!world.taken.has(name), `${name} was taken and is there again`);
    const content = String(storage.bytesOf(`${FOLDER}/${name}`));
    assert.equal(world.taking.get(name) ?? content, content);
    world.taking.set(name, content);
    storage.remove(`${FOLDER}/${name}`);
  }
  const gone = [...world.taking].filter(([name]) => !visible(storage).includes(name));
  await storage.syncDirectory(FOLDER);
  for (const [name, content] of gone) {
    world.taken.set(name, content);
    world.taking.delete(name);
  }
}

/** Before the next start: what was published can be seen. The consumer does not wait for that start. */
async function lookAround(storage: FaultyStorage, world: World, random: () => number): Promise<void> {
  if (!world.told) return;
  const suffix = nameOf(world.told);
  const seen = [...world.taking.keys(), ...world.taken.keys(), ...visible(storage)];
  assert.ok(
    seen.some((name) => name.includes(suffix)),
    `${suffix} was published and is not there`,
  );
  if (random() < 0.7) await consume(storage, world, random);
}

function visible(storage: FaultyStorage): string[] {
  return storage
    .list(FOLDER)
    .filter((name) => !name.startsWith('.'))
    .sort();
}

const nameOf = ({ incarnation, number }: Epoch) =>
  `${String(incarnation).padStart(6, '0')}-${String(number).padStart(10, '0')}`;

function verify(storage: FaultyStorage, world: World): void {
  const seen = new Map([...world.taking, ...world.taken]);
  for (const name of visible(storage)) {
    assert.ok(!world.taken.has(name), `${name} was taken and is there again`);
    seen.set(name, String(storage.bytesOf(`${FOLDER}/${name}`)));
  }
  const expected = world.complete.map(({ epoch, lines }) => [
    `driven@driven-${nameOf(epoch)}.txt`,
    `${lines.join('\n')}\n`,
  ]);
  assert.deepEqual([...seen].sort(), expected);
  const hidden = storage.list(FOLDER).filter((name) => name.startsWith('.'));
  assert.deepEqual(hidden, ['.driven@driven'], 'nothing hidden is left');
}

/** Lives until the power goes, or the process is killed, at the operation; gives the disk that the next start finds. */
async function liveUntil(
  cut: number,
  storage: FaultyStorage,
  world: World,
  disk: Disk,
  random: () => number,
): Promise<FaultyStorage> {
  storage.cutAt = cut;
  await assert.rejects(
    (async () => {
      for (;;) await live(storage, world, random, 2);
    })(),
    (error: Error) => storage.isOff || assert.fail(error),
  );
  return disk === 'torn' ? storage.afterPowerCut(random) : storage.afterKill();
}

async function scenario(cut: number, seed: number, disk: Disk): Promise<void> {
  const random = seededRandom(seed);
  const world = new World();
  let storage = await liveUntil(cut, new FaultyStorage(), world, disk, random);
  await lookAround(storage, world, random);
  storage = await liveUntil(1 + Math.floor(random() * 16), storage, world, disk, random);
  await lookAround(storage, world, random);
  await live(storage, world, random, 1);
  verify(storage, world);
}

for (const [disk, seeds] of [
  ['kept as written', 8],
  ['torn', 40],
] as const) {
  test(`after a crash at any operation each epoch has come out whole and once, the disk ${disk}`, async () => {
    for (let cut = 1; cut <= 50; cut++) {
      for (let seed = 0; seed < seeds; seed++) {
        await scenario(cut, seed, disk).catch((error: Error) => {
          throw new Error(`cut ${cut}, seed ${seed}: ${error.message}`, { cause: error });
        });
      }
    }
  });
}
