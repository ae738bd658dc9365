/** A copy without state: positions and outputs alone move together, and what cannot be copied is in the ledger once. */

import { filesSink } from '../../../file.ts';
import { topology, type } from '../../../index.ts';
import { json, topic, topicSink, topicSpout } from '../../../topic.ts';
import { FAULT_KINDS } from '../faults.ts';
import type { Given } from '../options.ts';
import { feed } from '../options.ts';
import type { Scenario } from './scenario.ts';

interface Line {
  readonly key: string;
  readonly number: number;
}

const source = topic('source', { value: json(type<Line>()), key: ({ key }) => key, partitions: 2 });
const target = topic('target', { value: json(type<Line>()), key: ({ key }) => key, partitions: 3 });

const evenLines = (line: Line): Line | undefined => {
  if (line.number % 20 === 7) throw new Error('a number that nobody wants');
  return line.number % 2 === 0 ? line : undefined;
};

export const copy: Scenario = {
  topology: topology('copy', (t) => {
    const lines = t.spout('lines', topicSpout(source, { group: 'copy' }));
    const even = t.bolt('even', lines.fields('key'), evenLines, { onError: { retries: 1, backoff: '20ms' } });
    t.sink('target', even.fields('key'), topicSink(target));
    t.sink('files', even.fields('key'), filesSink('/copied'));
  }),
  options(random) {
    const records = Array.from({ length: 100 }, (_, i): Given<Line> => {
      return [{ key: `k${Math.floor(random() * 5)}`, number: i }, i * 20 + Math.floor(random() * 15)];
    });
    return {
      inputs: [feed(source, records)],
      outputs: [target],
      faults: FAULT_KINDS.filter((kind) => kind !== 'late'),
      keys: { files: (line: string) => (JSON.parse(line) as Line).key },
    };
  },
};
