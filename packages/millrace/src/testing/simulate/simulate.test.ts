import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { asyncBolt, bolt, sink, topology, type } from '../../index.ts';
import { seededRandom } from '../../runtime/seeded-random.ts';
import { json, string, topic, topicSink, topicSpout } from '../../topic.ts';
import type { Fault } from './faults.ts';
import type { Given, SimulateOptions } from './options.ts';
import { feed } from './options.ts';
import { plantedBugs } from './planted.fixture.ts';
import { simulate, simulatePlanted } from './simulate.ts';
import { scenarios } from './topologies/all.ts';

/** Some hundreds in all; `npm run simulate` runs as many as one likes. */
const SEEDS: { readonly [scenario: string]: number } = {
  'word-count': 25,
  'word-count-at-least-once': 10,
  features: 8,
  join: 15,
  deadlines: 15,
  copy: 15,
  modes: 20,
  'slow-table': 15,
  queue: 20,
  'queue-with-state': 15,
  batches: 15,
  lateness: 15,
};

for (const [name, { topology, options }] of Object.entries(scenarios)) {
  test(`${name} comes out right under the faults of ${SEEDS[name]} seeds`, async () => {
    for (let seed = 1; seed <= SEEDS[name]!; seed++)
      await simulate(topology, { ...options(seededRandom(seed)), seed, shrink: false });
  });
}

test('the same seed does the same, event for event, and another seed something else', async () => {
  const { topology, options } = scenarios['word-count']!;
  const traceOf = async (seed: number) => {
    const { trace, figures } = await simulate(topology, { ...options(seededRandom(seed)), seed });
    return [...trace, `${figures.steps} steps`];
  };
  assert.deepEqual(await traceOf(6), await traceOf(6));
  assert.notDeepEqual(await traceOf(6), await traceOf(7));
});

interface Seen {
  readonly word: string;
  readonly times: number;
}
const words = topic('words', { value: string, key: (word) => word, partitions: 2 });
const seen = topic('seen', { value: json(type<Seen>()), key: ({ word }) => word });
const given = (count: number) => Array.from({ length: count }, (_, i): Given<string> => ['abc'[i % 3]!, i * 20]);

/** It remembers in a variable, which does not survive a start, instead of in its state. */
const forgetful = topology('forgetful', (t) => {
  const read = t.spout('words', topicSpout(words, { group: 'forgetful' }));
  const counting = bolt({
    emits: type<Seen>(),
    prepare({ emit }) {
      const counts = new Map<string, number>();
      return {
        execute(word: string) {
          counts.set(word, (counts.get(word) ?? 0) + 1);
          emit({ word, times: counts.get(word)! });
        },
      };
    },
  });
  const counted = t.bolt(
    'count',
    read.keyBy((word) => word),
    counting,
  );
  t.sink('seen', counted.fields('word'), topicSink(seen));
});
const forgetfulOptions: SimulateOptions = { inputs: [feed(words, given(60))], outputs: [seen] };

async function failureOf(run: Promise<unknown>): Promise<string> {
  const failure = await run.then(
    () => undefined,
    (thrown: Error & { code?: string }) => thrown,
  );
  assert.equal(failure?.code, 'MR_SIMULATION');
  return failure!.message;
}

test("a user's bolt that remembers in a variable is found, and the report does it again with fewer faults", async () => {
  const report = await failureOf(simulate(forgetful, { ...forgetfulOptions, seed: 4 }));
  assert.match(report, /'seen' \(exactly-once\): \d+ missing: .*; \d+ too many/);
  assert.match(report, /checkpoint 1\.\d+ is complete/);
  const [, records, list] = /seed: 4, records: (\d+), faults: \[\n([^\]]*)\] \}\)$/.exec(report)!;
  const faults = JSON.parse(
    `[${list!
      .replaceAll(/(\w+): /g, '"$1": ')
      .replaceAll("'", '"')
      .replace(/,\s*$/, '')}]`,
  ) as Fault[];
  assert.equal(faults.length, 1);
  const again = await failureOf(
    simulate(forgetful, { ...forgetfulOptions, seed: 4, faults, records: Number(records) }),
  );
  assert.equal(again.split('\n')[0], report.split('\n')[0]);
});

test('what was planted is found with as few faults as it needs', async () => {
  const { planted } = plantedBugs['the position of a split is forgotten']!;
  const { topology, options } = scenarios['word-count']!;
  const faults: readonly Fault[] = [
    { kind: 'stall', at: 300, steps: 5, lasts: 200 },
    { kind: 'clock', at: 800, by: 5000 },
    { kind: 'crash', at: 1500, steps: 30, down: 100 },
    { kind: 'slowDisk', at: 1700, lasts: 300, by: 50 },
  ];
  const report = await failureOf(simulatePlanted(topology, { ...options(seededRandom(1)), faults }, planted));
  assert.match(
    report,
    /4 faults, of which these are enough: .*\n {4}\{ kind: 'crash', at: 1500, steps: 30, down: 100 \},\n\] \}\)$/,
  );
});

test('one that does not come to rest says what it waits for', async () => {
  const stuck = topology('stuck', (t) => {
    const read = t.spout('words', topicSpout(words, { group: 'stuck' }));
    const never = t.bolt(
      'never',
      read.shuffle(),
      asyncBolt({ concurrency: 2, execute: () => new Promise<string>(() => {}) }),
    );
    t.sink('out', never.shuffle(), sink<string>({ mode: 'append', batch: { size: 1, every: 0 }, write() {} }));
  });
  const report = await failureOf(simulate(stuck, { inputs: [feed(words, given(9))], faults: [], limit: '1m' }));
  assert.match(
    report,
    /does not come to rest within 60000 ms: .*draining.*'never': \d queued[\s\S]*it fails without any fault/,
  );
});

test('one that fails at each start is told with its failure', async () => {
  const broken = topology('broken', (t) => {
    const read = t.spout('words', topicSpout(words, { group: 'broken' }));
    const stops = t.bolt(
      'stops',
      read.shuffle(),
      (word: string): string => {
        throw new Error(`no ${word}`);
      },
      { onError: { retries: 0, exhausted: 'stop' } },
    );
    t.bolt('after', stops.shuffle(), () => {});
  });
  const report = await failureOf(simulate(broken, { inputs: [feed(words, given(3))], faults: [] }));
  assert.match(report, /does not come to rest: .* the last failure was: 'stops' task 0 failed: no a/);
});

test('code within a simulation reads its time and chance, and cannot reach the world', async () => {
  const refused: unknown[] = [];
  const times: number[] = [];
  const curious = topology('curious', (t) => {
    const read = t.spout('words', topicSpout(words, { group: 'curious' }));
    t.bolt('reads', read.shuffle(), () => {
      times.push(Date.now());
      try {
        readFileSync(import.meta.filename);
      } catch (thrown) {
        refused.push((thrown as { code?: unknown }).code);
      }
    });
  });
  await simulate(curious, { inputs: [feed(words, given(3))], faults: [] });
  // Each of three words, in the run and in the one that it is compared with.
  assert.deepEqual(
    refused,
    Array.from({ length: 6 }, () => 'MR_NATIVE_IO'),
  );
  assert.ok(times.every((time) => time < 10_000));
});

test('an expectation is held against what came out, and a wrong one is told', async () => {
  const { topology, options } = scenarios.copy!;
  const some = { ...options(seededRandom(1)), faults: [] };
  await simulate(topology, { ...some, check: ({ outputs }) => assert.equal(outputs.target!.length > 30, true) });
  const report = await failureOf(simulate(topology, { ...some, expect: () => ({ target: [] }) }));
  assert.match(report, /'target' \(exactly-once\): \d+ too many: /);
  const checked = await failureOf(
    simulate(topology, {
      ...some,
      check() {
        throw new Error('not what I want');
      },
    }),
  );
  assert.match(checked, /not what I want/);
  await assert.rejects(simulate(topology, { ...some, expect: () => ({ elsewhere: [] }) }), {
    code: 'MR_UNKNOWN_COMPONENT',
  });
  await assert.rejects(simulate(topology, { ...some, faults: ['crush' as 'crash'] }), { code: 'MR_OPTION' });
});
