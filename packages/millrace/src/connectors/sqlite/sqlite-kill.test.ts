import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { openSqlite } from '../../runtime/sqlite.ts';

const KILLS = 12;
const fixture = fileURLToPath(new URL('./sqlite-kill.fixture.ts', import.meta.url));

/** Kills the process as soon as it has said so many lines; gives the number of the last epoch that it said is published. */
async function runAndKill(files: readonly string[], start: number, lines: number): Promise<number> {
  const conditions = process.execArgv.filter((argument) => argument.startsWith('--conditions'));
  const child = spawn(process.execPath, [...conditions, fixture, ...files, `${start}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    said += chunk;
    if (said.split('\n').length > lines) child.kill('SIGKILL');
  });
  const [code, signal] = await once(child, 'close');
  assert.equal(signal, 'SIGKILL', `the process ended by itself with ${code}`);
  return Number([...said.matchAll(/^published (\d+)$/gm)].at(-1)?.[1] ?? 0);
}

test(`after each of ${KILLS} kills in mid-publication the table holds whole epochs, in order, each once`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-kill-'));
  const [path, checkpoints] = [join(folder, 'rows.db'), join(folder, 'checkpoints')];
  writeFileSync(checkpoints, '');
  const random = seededRandom(5);
  try {
    for (let kill = 1; kill <= KILLS; kill++) {
      const published = await runAndKill([path, checkpoints], kill, 1 + Math.floor(random() * 12));
      const database = openSqlite(path);
      const epochs = database
        .prepare('SELECT epoch, count(*) AS n, max(place) + 1 AS places FROM rows GROUP BY epoch')
        .all();
      const mark = database.prepare('SELECT number FROM _millrace_epochs').get();
      database.close();
      for (const [i, { epoch, n, places }] of epochs.entries()) {
        assert.equal(epoch, i + 1, 'in order, without a gap');
        assert.deepEqual([n, places], i % 2 === 0 ? [2_000, 2_000] : [3, 3], 'whole, and once');
      }
      assert.ok(epochs.length >= published, 'what it said is published is there');
      assert.ok(epochs.length <= readFileSync(checkpoints, 'utf8').split('\n').length - 1, 'and nothing else');
      assert.equal(mark?.number ?? 0, epochs.length);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
