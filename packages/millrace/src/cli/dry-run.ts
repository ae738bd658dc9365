/** `millrace run --dry-run`: what the next start would take over. Nothing is started, claimed or written. */
import { join } from 'node:path';
import { fileStorage } from '@millrace/broker';
import type { SavedCheckpoint } from '../checkpoints/checkpoint-store.ts';
import { planTakeover } from '../checkpoints/takeover.ts';
import { MillraceError } from '../errors.ts';
import { realRuntime } from '../runtime/real.ts';
import { canonicalKey, KEY_GROUPS } from '../topology/key.ts';
import { receiptOf } from '../topology/receipt.ts';
import type { Built, Topology } from '../topology/topology.ts';
import { checkpointNamed, openStore } from './checkpoint-folders.ts';
import { checkpointSettings } from './checkpoint-settings.ts';
import { CHECKPOINTS, defaultDataDirectory } from './data-directory.ts';
import { EXIT, exitCodeOf, failureText } from './report.ts';
import type { RunOptions } from './run.ts';
import { choiceOf } from './run-checkpoints.ts';
import type { DryRun } from './takeover-text.ts';
import { dryRunJson, dryRunLines } from './takeover-text.ts';
import { print, printJson, remark } from './terminal.ts';

/** The exit code: 1 if the start would be refused. */
export async function dryRunTopology(
  load: () => Promise<Topology>,
  folder: string,
  options: RunOptions,
): Promise<number> {
  try {
    const built = (await load()).build(options.config);
    const { name } = built.plan;
    checkpointSettings(name, options.checkpoints);
    if (receiptOf(built, options.guarantee).keeps !== 'checkpoints')
      throw new MillraceError('MR_NO_CHECKPOINTS', [name]);
    const found = await planned(built, folder, options);
    if (options.json) printJson(found === undefined ? null : dryRunJson(found));
    else if (found === undefined) print(`${name} has no checkpoint yet: it would begin from nothing.`);
    else print(...dryRunLines(found, Date.now()));
    const problems = found?.plan.problems ?? [];
    if (!options.json) for (const problem of problems) remark(`error: ${failureText(problem)}`);
    return problems.length > 0 ? EXIT.failed : EXIT.ok;
  } catch (error) {
    remark(`error: ${failureText(error)}`);
    return exitCodeOf(error);
  }
}

/** Undefined: there is nothing to go on from. */
async function planned(built: Built, folder: string, options: RunOptions): Promise<DryRun | undefined> {
  const { name } = built.plan;
  const { timers } = realRuntime();
  const checkpoints = join(options.data ?? defaultDataDirectory(folder), CHECKPOINTS);
  const place = { folder: checkpoints, topology: name, storage: fileStorage(), timers };
  const store = openStore(place, 1, remark);
  try {
    const { from, fresh } = options;
    const kept = fresh ? [] : await store.completed(from === undefined ? undefined : 'left out');
    const newest = kept[0] && (() => store.read(kept[0]!.epoch));
    const saved = from === undefined ? await newest?.() : await checkpointNamed(store, place, from);
    if (saved === undefined) return undefined;
    const plan = planTakeover(built, saved, choiceOf(options));
    const { at } = saved.info.facts;
    const givenUp = kept.filter(({ facts }) => facts.at > at);
    const keys = keysOf(saved);
    saved.release();
    return { topology: name, plan, at, keys, givenUp };
  } finally {
    await store.close();
  }
}

/** How many keys each component has. Later parts replace what earlier ones say. */
function keysOf(saved: SavedCheckpoint): ReadonlyMap<string, number> {
  return new Map(
    saved.components.map((component) => {
      const there = new Set<unknown>();
      for (const { keys } of saved.state(component)) {
        for (const { key, data } of keys(0, KEY_GROUPS)) {
          if (data === undefined) there.delete(canonicalKey(key));
          else there.add(canonicalKey(key));
        }
      }
      return [component, there.size];
    }),
  );
}
