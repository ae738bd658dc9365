import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { CheckpointInfo } from '../checkpoints/checkpoint-store.ts';
import type { ComponentTakeover } from '../checkpoints/takeover.ts';
import { MillraceError } from '../errors.ts';
import type { DryRun } from './takeover-text.ts';
import { dryRunJson, dryRunLines } from './takeover-text.ts';

const one = (
  component: string,
  kind: ComponentTakeover['kind'],
  of: Partial<ComponentTakeover>,
): ComponentTakeover => ({
  component,
  kind,
  fate: 'taken',
  from: component,
  parts: [],
  drop: [],
  tasks: 1,
  count: 0,
  ...of,
});
const state = (name: string, fate: 'taken' | 'migrated' | 'dropped' | 'new') =>
  ({ name, what: 'state', fate, was: 1, is: 2 }) as const;
const later = (number: number, outputs: Record<string, number>) =>
  ({ epoch: { incarnation: 3, number }, facts: { outputs } }) as unknown as CheckpointInfo;

const run: DryRun = {
  topology: 'demo',
  at: Date.UTC(2026, 0, 31, 12),
  plan: {
    epoch: { incarnation: 3, number: 17 },
    topology: 'demo',
    finished: false,
    components: [
      one('raw', 'spout', { from: 'lines', count: 2 }),
      one('fresh', 'spout', { fate: 'new', from: undefined }),
      one('stats', 'bolt', {
        tasks: 4,
        fate: 'migrated',
        parts: [
          state('mean', 'migrated'),
          state('sum', 'taken'),
          { ...state('old', 'dropped'), what: 'timer' },
          state('max', 'new'),
        ],
      }),
      one('out', 'sink', { count: 5 }),
      one('gone', 'bolt', { fate: 'dropped', from: undefined }),
      one('lost', 'bolt', { fate: 'missing', from: undefined }),
    ],
    unused: ['old=stats'],
    problems: [new MillraceError('MR_CHECKPOINT_COMPONENT', ['3.17', ['lost']])],
  },
  keys: new Map([['stats', 12_345]]),
  givenUp: [later(19, { out: 1200 }), later(18, { out: 34, more: 1 })],
};

test('a dry run says of each component what becomes of it, and what is published again', () => {
  const lines = dryRunLines(run, run.at + 312_000).map(stripVTControlCharacters);
  assert.equal(lines[0], 'demo would go on from checkpoint 3.17 of 2026-01-31T12:00:00.000Z (5m12s ago):');
  assert.deepEqual(lines.slice(2, 10), [
    'COMPONENT  STATE     DETAILS',
    "raw        goes on   was 'lines'; at the positions of 2 splits",
    'fresh      new       begins where a first start begins',
    'stats      migrated  12 345 keys for 4 tasks, by key group; mean from version 1 to 2; sum; timer old dropped; max begins empty',
    'out        goes on   publishes what is not published yet',
    'gone       dropped   what was kept of it is given up',
    'lost       MISSING   it is in the checkpoint, and not in the topology',
    "'old=stats' names nothing that is in the checkpoint.",
  ]);
  assert.match(lines.at(-2)!, /^What came after it is given up: 2 checkpoints/);
  assert.match(lines.at(-1)!, /published a second time, of these checkpoints alone: 'out' 1 234, 'more' 1\.$/);
});

test('where nothing came after it nothing is published again, and another topology is named', () => {
  const text = dryRunLines({ ...run, givenUp: [], plan: { ...run.plan, topology: 'other' } }, run.at).join('\n');
  assert.match(text, /\(0ms ago\) of topology 'other':/);
  assert.doesNotMatch(text, /second time/);
});

test('a topology that had come to its end would begin anew', () => {
  const lines = dryRunLines({ ...run, plan: { ...run.plan, finished: true, components: [] } }, run.at);
  assert.deepEqual(lines.length, 1);
  assert.match(lines[0]!, /had come to its end .+ would begin anew/);
});

test('scripts get the same as data', () => {
  const json = JSON.parse(JSON.stringify(dryRunJson(run)));
  assert.deepEqual([json.checkpoint, json.of, json.finished], ['3.17', 'demo', false]);
  assert.deepEqual(json.components[0], {
    component: 'raw',
    kind: 'spout',
    fate: 'taken',
    from: 'lines',
    tasks: 1,
    count: 2,
  });
  assert.deepEqual([json.components[2].keys, json.components[2].parts.length], [12_345, 4]);
  assert.deepEqual(json.problems[0].code, 'MR_CHECKPOINT_COMPONENT');
  assert.deepEqual(json.givenUp[0], { checkpoint: '3.19', outputs: { out: 1200 } });
});
