import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Running } from '../engine.ts';
import { explanationText } from '../engine.ts';
import { count, generatorSpout, topology, tumbling, windowed } from '../index.ts';
import { runTopology } from './run.ts';

test('who runs a topology can ask it what a window waits for and what a key has, and stop it with its windows closed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-run-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const read = Promise.withResolvers<void>();
  const closed: string[] = [];
  const visits = topology('visits', (b) => {
    const pages = b.spout(
      'pages',
      generatorSpout(async function* () {
        yield { page: '/', at: 1000 };
        yield { page: '/', at: 2000 };
        await new Promise(() => {});
      }),
      { time: { from: ({ at }) => at } },
    );
    const hourly = b.bolt('hourly', pages.fields('page'), windowed(tumbling('1h'), { n: count() }));
    b.bolt('seen', pages.shuffle(), ({ at }) => (at === 2000 ? read.resolve() : undefined));
    b.bolt('closed', hourly.shuffle(), ({ key, n }) => void closed.push(`${key} ${n}`));
  });
  const started = Promise.withResolvers<Running>();
  const options = { data: join(folder, 'data'), quiet: true, kafkaPort: false as const };
  const exit = runTopology(() => Promise.resolve(visits), folder, { ...options, started: started.resolve });
  const running = await started.promise;
  await read.promise;
  const explained = explanationText(running.explain('hourly')).join('\n');
  assert.match(explained, /window of key \/ that is due at 1970-01-01T01:00:00.000Z in 'hourly' waits/);
  assert.deepEqual(running.stateKeys('hourly', 10), ['/']);
  assert.notEqual(running.readState('hourly', '/'), undefined);
  assert.equal(running.readState('hourly', '/about'), undefined);
  await running.stop({ drain: true });
  assert.deepEqual([await exit, closed], [0, ['/ 2']]);
});
