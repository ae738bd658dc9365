/** What `millrace new` writes: one topology, its test, and the files around them. */

/** Paths and contents. `name` is a package name, `version` that of this package. */
export function template(name: string, version: string): Readonly<Record<string, string>> {
  return {
    'package.json': json({
      name,
      version: '0.1.0',
      private: true,
      type: 'module',
      engines: { node: '>=22.22' },
      scripts: {
        start: 'millrace run src/sensors.ts',
        test: 'node --test "src/**/*.test.ts"',
        types: 'tsc --noEmit',
      },
      dependencies: { millrace: `^${version}` },
      devDependencies: { '@types/node': '^24', typescript: '^7.0.2' },
    }),
    'tsconfig.json': json({
      compilerOptions: {
        strict: true,
        target: 'es2024',
        module: 'nodenext',
        types: ['node'],
        noEmit: true,
        allowImportingTsExtensions: true,
        erasableSyntaxOnly: true,
        verbatimModuleSyntax: true,
        skipLibCheck: true,
      },
      include: ['src'],
    }),
    '.gitignore': 'node_modules/\n.millrace/\n',
    'README.md': readme(name),
    'src/sensors.ts': TOPOLOGY,
    'src/sensors.test.ts': TEST,
  };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

const TOPOLOGY = `// Simulated sensors write readings to a topic; readings far above their device's average become alerts.
import { bolt, generatorSpout, topology, type, value } from 'millrace';
import { stdoutSink } from 'millrace/file';
import { json, topic, topicSink, topicSpout } from 'millrace/topic';

export interface Reading {
  device: string;
  value: number;
}
export interface Alert extends Reading {
  average: number;
}

// Topics are durable: stop the program, start it again, and it goes on where it was.
const readings = topic('readings', { value: json(type<Reading>()), key: (r) => r.device, partitions: 2 });
const alerts = topic('alerts', { value: json(type<Alert>()), key: (a) => a.device });

// Three devices around 50; now and then one of them jumps.
function* simulated(): Generator<Reading> {
  for (let n = 0; ; n++) {
    const jump = n % 17 === 16 ? 30 : 0;
    yield { device: \`device-\${n % 3}\`, value: Math.round(50 + 3 * Math.sin(n) + jump) };
  }
}

// A bolt keeps state per key, here per device: the stream it subscribes to is grouped by fields('device').
const detect = bolt({
  emits: type<Alert>(),
  state: { seen: value({ count: 0, average: 0 }) },
  prepare: ({ emit, state }) => ({
    execute(reading: Reading) {
      const { count, average } = state.seen.get();
      if (count >= 3 && reading.value > average + 15) emit({ ...reading, average: Math.round(average) });
      else state.seen.set({ count: count + 1, average: (average * count + reading.value) / (count + 1) });
    },
  }),
});

export default topology('sensors', (t) => {
  const simulation = t.spout('simulation', generatorSpout(simulated, { rate: 20 }));
  t.sink('record', simulation.shuffle(), topicSink(readings));

  const raw = t.spout('readings', topicSpout(readings, { group: 'sensors' }));
  const alarms = t.bolt('detect', raw.fields('device'), detect, { parallelism: 2 });
  t.sink('alerts', alarms.shuffle(), topicSink(alerts));
  t.sink('print', alarms.shuffle(), stdoutSink({ format: (a) => \`alert: \${a.device} at \${a.value}, usually \${a.average}\` }));
  return { raw, alarms }; // what a test feeds and reads
});
`;

const TEST = `import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testRun } from 'millrace/testing';
import sensors from './sensors.ts';

test('a reading far above the average of its device is an alert', async () => {
  const run = testRun(sensors);
  for (const value of [50, 52, 48, 50, 80]) run.feed('raw', { device: 'a', value });
  run.feed('raw', { device: 'b', value: 80 });
  await run.advance('1s');
  assert.deepEqual(run.read('alarms'), [{ device: 'a', value: 80, average: 50 }]);
});
`;

function readme(name: string): string {
  return `# ${name}

A [Millrace](https://www.npmjs.com/package/millrace) topology: simulated sensors, a durable topic, alerts.

    npm install
    npm start        # runs src/sensors.ts; Ctrl-C finishes what is inside and stops
    npm test         # its test, in virtual time

While it runs, from another terminal:

    npx millrace status
    npx millrace consume alerts --follow
    npx millrace graph src/sensors.ts

Its topics and checkpoints are in \`.millrace/\`; \`npm start -- --fresh\` begins from nothing.
`;
}
