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
import { lineage, live, type Start } from './epoch-files-zombie.fixture.ts';

const TRIALS = 400;

class Zombie {
  readonly #worker = new Worker(new URL('./epoch-files-zombie.fixture.ts', import.meta.url));
  readonly #go = new Int32Array(new SharedArrayBuffer(4));
  #isHeld = false;

  /** Until it is held still, or has ended. */
  async start(start: Start): Promise<void> {
    Atomics.store(this.#go, 0, 0);
    this.#worker.postMessage({ ...start, go: this.#go });
    const [what] = await once(this.#worker, 'message');
    this.#isHeld = what === 'holding';
  }

  async goOn(): Promise<void> {
    if (!this.#isHeld) return;
    Atomics.store(this.#go, 0, 1);
    Atomics.notify(this.#go, 0);
    const [what] = await once(this.#worker, 'message');
    assert.equal(what, 'ended');
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
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

async function trial(directory: string, zombies: readonly Zombie[], random: () => number): Promise<void> {
  const out = join(directory, 'out');
  mkdirSync(directory);
  writeFileSync(join(directory, 'checkpoints'), '');
  const seen = new Set<string>();
  let incarnation = 0;
  for (const zombie of zombies) {
    // A start and the publication of an epoch are about 20 operations each.
    const holdAt = 1 + Math.floor(random() * 60);
    await zombie.start({ directory, incarnation: ++incarnation, epochs: 2, holdAt });
    consume(out, seen, random);
  }
  if (random() < 0.5) await live({ directory, incarnation: ++incarnation, epochs: 2 });
  consume(out, seen, random);
  for (const zombie of random() < 0.5 ? zombies : zombies.toReversed()) {
    await zombie.goOn();
    consume(out, seen, random);
  }
  await live({ directory, incarnation: ++incarnation, epochs: 1 });
  consume(out, seen, () => 1);
  assert.deepEqual([...seen].sort(), lineage(directory).map(epochText).sort());
}

test('a start that others have taken over from, and that goes on, makes nothing visible twice, and nothing of its own', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-zombies-'));
  const zombies = [new Zombie(), new Zombie()];
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
