/**
 * Starts of a topology that are held still at any operation on the disk, while others take over from them, and that go on
 * afterwards. A consumer takes files away meanwhile. Each epoch that counts comes out once, and no other does.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { epochText } from '../../topology/epoch.ts';
import { DIE, GO, lineage, live, type Start } from './epoch-files-zombie.fixture.ts';

const TRIALS = 150;

class Zombie {
  readonly #worker = new Worker(new URL('./epoch-files-zombie.fixture.ts', import.meta.url));
  readonly #word = new Int32Array(new SharedArrayBuffer(4));
  isHeld = false;

  /** Until it is held still, or has ended. */
  async start(start: Start, seed: number): Promise<void> {
    this.#worker.postMessage({ ...start, seed, word: this.#word });
    await this.#told();
  }

  async goOn(how = GO): Promise<void> {
    Atomics.store(this.#word, 0, how);
    Atomics.notify(this.#word, 0);
    await this.#told();
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  async #told(): Promise<void> {
    const [what] = await once(this.#worker, 'message');
    this.isHeld = what === 'holding';
  }
}

/** Takes what is there away; what it has had before it must not see again. */
function consume(out: string, seen: Set<string>, random: () => number): void {
  if (!existsSync(out)) return;
  for (const name of readdirSync(out)) {
    if (name.startsWith('.') || random() < 0.3) continue;
    const text = readFileSync(join(out, name), 'utf8').trim();
    assert.ok(!seen.has(text), `${text} came out twice`);
    seen.add(text);
    rmSync(join(out, name));
  }
}

/** Some starts at once, each a few operations at a time, in any order; some die. Then one that nobody disturbs. */
async function trial(directory: string, zombies: readonly Zombie[], random: () => number): Promise<void> {
  const out = join(directory, 'out');
  mkdirSync(directory);
  writeFileSync(join(directory, 'checkpoints'), '');
  const seen = new Set<string>();
  let incarnation = 0;
  for (let step = 0; step < 25; step++) {
    const zombie = zombies[Math.floor(random() * zombies.length)]!;
    if (zombie.isHeld) await zombie.goOn(random() < 0.1 ? DIE : GO);
    else if (incarnation < 5) await zombie.start({ directory, incarnation: ++incarnation, epochs: 2 }, random());
    consume(out, seen, random);
  }
  await live({ directory, incarnation: ++incarnation, epochs: 1 });
  for (const zombie of zombies) while (zombie.isHeld) await zombie.goOn(random() < 0.1 ? DIE : GO);
  consume(out, seen, () => 1);
  assert.deepEqual([...seen].sort(), lineage(directory).map(epochText).sort());
}

test('starts that others have taken over from, and that go on, make nothing visible twice, and nothing of their own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-zombies-'));
  const zombies = [new Zombie(), new Zombie(), new Zombie()];
  try {
    for (let seed = 0; seed < TRIALS; seed++) {
      await trial(join(folder, String(seed)), zombies, seededRandom(seed)).catch((error: Error) => {
        throw new Error(`seed ${seed}: ${error.message}`, { cause: error });
      });
    }
  } finally {
    for (const zombie of zombies) await zombie.stop();
    rmSync(folder, { recursive: true });
  }
});
