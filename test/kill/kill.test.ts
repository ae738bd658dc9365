/** A few kills of each topology over the embedded log. `long.ts` has many, and over brokers; `npm run kill` as many as one likes. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { features } from './features.ts';
import { embedded } from './ground.ts';
import { killAgainAndAgain } from './kill.ts';
import { wordCount } from './word-count.ts';

const KILLS = 5;

describe('killed with SIGKILL under load', { concurrency: true }, () => {
  for (const scenario of [wordCount, features])
    test(`${scenario.name}: ${KILLS} kills over the embedded log lose nothing and double nothing`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-kill-'));
      t.after(() => rmSync(folder, { recursive: true, force: true }));
      const ground = embedded(folder);
      t.after(() => ground.close());
      const say = (text: string) => t.diagnostic(text);
      await killAgainAndAgain({ scenario, ground, folder, kills: KILLS, seed: 3, perSecond: 1000, say });
    });
});
