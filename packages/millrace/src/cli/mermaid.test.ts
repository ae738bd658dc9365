import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mermaid } from './mermaid.ts';

test('a plan is drawn with its kinds, parallelism, streams, groupings and input names', () => {
  const drawn = mermaid({
    name: 'demo',
    components: [
      { id: 'in', kind: 'spout', variant: 'log', parallelism: 1, streams: ['default'], inputs: [] },
      {
        id: 'split',
        kind: 'bolt',
        variant: 'bolt',
        parallelism: 4,
        streams: ['a"b#', 'rest'],
        inputs: [{ component: 'in', stream: 'default', grouping: 'fields', fields: ['site', 'device'] }],
      },
      {
        id: 'out',
        kind: 'sink',
        variant: 'append',
        parallelism: 1,
        streams: [],
        inputs: [{ name: 'left', component: 'split', stream: 'a"b#', grouping: 'global' }],
      },
    ],
  });
  assert.equal(
    drawn,
    `flowchart LR
  c0(["in"])
  c1["split ×4"]
  c2[("out")]
  c0 -->|"fields(site, device)"| c1
  c1 -->|"a#quot;b#35; · global · → left"| c2
`,
  );
});
