/** What `build` refuses: each message says what arrived and what to do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { ErrorCode, Input, Inputs, Schema, Stream, TopologyBuilder } from '../index.ts';
import { asyncBolt, bolt, direct, sink, spout, topology, type, value } from '../index.ts';

interface Reading {
  readonly device: string;
  readonly value: number;
}
const spoutOf = <T>(schema: Schema<T>) => spout({ emits: schema, open: () => ({ nextTuple: () => false }) });
const readings = spoutOf(type<Reading>());
const nothing = () => {};

function refuses(code: ErrorCode, message: string | RegExp, define: (t: TopologyBuilder) => void): void {
  assert.throws(() => topology('x', define).build(), { name: 'MillraceError', code, message });
}
/** What a user without the compiler can write. */
const wrong = <T>(what: unknown): T => what as T;
const handMade = (component: string, stream = 'default'): Inputs =>
  wrong<Inputs>({ from: { component, stream }, grouping: { kind: 'shuffle' } });

test('a component declared twice', () => {
  refuses(
    'MR_DUPLICATE_COMPONENT',
    "topology 'x': component 'raw' is declared twice: give one of them another name",
    (t) => {
      const raw = t.spout('raw', readings);
      t.bolt('raw', raw.shuffle(), nothing);
    },
  );
});

test('an input from a component or a stream that is not there', () => {
  refuses('MR_UNKNOWN_COMPONENT', "'b': there is no component 'rau' here; declared so far: 'raw', 'b'", (t) => {
    t.spout('raw', readings);
    t.bolt('b', handMade('rau'), nothing);
  });
  refuses(
    'MR_UNKNOWN_STREAM',
    "input 'late' of 'b': component 'raw' emits no stream 'late'; it emits: 'default'",
    (t) => {
      t.spout('raw', readings);
      t.bolt('b', wrong<Inputs>({ late: handMade('raw', 'late') }), nothing);
    },
  );
});

test('a stream kept from another build, even where a component of that name exists', () => {
  let kept: Stream<Reading> | undefined;
  const define = (t: TopologyBuilder) => {
    const raw = t.spout('raw', readings);
    t.bolt('b', (kept ?? raw).shuffle(), nothing);
    kept = raw;
  };
  topology('first', define).build();
  refuses(
    'MR_FOREIGN_STREAM',
    /^'b': the stream of 'raw' belongs to another build of a topology: use the streams/,
    define,
  );
});

test('a topology without a spout', () => {
  refuses('MR_NO_SPOUT', "topology 'x' has no spout: nothing would ever flow; add one with t.spout", nothing);
});

test('a bolt without an input', () => {
  refuses('MR_NO_INPUT', "'b' subscribes to no stream: give it at least one input", (t) => {
    t.spout('raw', readings);
    t.bolt('b', {}, nothing);
  });
});

test('a cycle, with its path in the direction of the flow', () => {
  refuses(
    'MR_CYCLE',
    /^topology 'x' has a cycle: (a → b → c → a|b → c → a → b|c → a → b → c); .*through a topic$/,
    (t) => {
      const raw = t.spout('raw', readings);
      t.bolt('a', wrong<Inputs>({ raw: raw.shuffle(), back: handMade('c') }), nothing);
      t.bolt('b', handMade('a'), nothing);
      t.bolt('c', handMade('b'), nothing);
    },
  );
  refuses('MR_CYCLE', /cycle: self → self;/, (t) => {
    t.spout('raw', readings);
    t.bolt('self', handMade('self'), nothing);
  });
});

test('a diamond is no cycle, however deep: each component is looked at once', () => {
  topology('deep', (t) => {
    let at: Stream<unknown> = t.spout('raw', readings);
    for (let i = 0; i < 60; i++) {
      const [a, b] = [t.bolt(`a${i}`, at.shuffle(), () => 1), t.bolt(`b${i}`, at.shuffle(), () => 1)];
      at = t.bolt(`join${i}`, { a: a.shuffle(), b: b.shuffle() }, () => 1);
    }
  }).build();
});

test('a field that the values do not have, where the schema can tell', () => {
  const typed = spoutOf(z.object({ device: z.string(), at: z.date() }));
  refuses(
    'MR_UNKNOWN_FIELD',
    "'b' groups raw.default by the field 'devise', which its values do not have; they have: 'device', 'at'",
    (t) => {
      t.bolt('b', t.spout('raw', typed).fields(wrong<'device'>('devise')), nothing);
    },
  );
  refuses('MR_UNKNOWN_FIELD', /by the field 'sight'/, (t) => {
    t.bolt('b', t.spout('raw', typed).fields('device', wrong<'device'>('sight')), nothing);
  });
  refuses('MR_OPTION', /^'b': the fields of raw\.default is \[\], which is not at least one field$/, (t) => {
    t.bolt('b', wrong<{ fields(): Inputs }>(t.spout('raw', typed)).fields(), nothing);
  });
});

test('a field is left to the compiler where the schema cannot tell', () => {
  const jsonSchema = {
    output() {
      throw new Error('no JSON Schema has a word for this type');
    },
  };
  const unrepresentable = { '~standard': { ...type<{ any: string }>()['~standard'], jsonSchema } };
  const silent = [
    type<{ any: string }>(),
    z.looseObject({ device: z.string() }),
    z.union([z.object({ any: z.string() }), z.object({ any: z.string(), more: z.string() })]),
    z.custom<{ any: string }>(() => true),
    unrepresentable,
  ];
  for (const schema of silent) {
    topology('x', (t) => {
      t.bolt('b', t.spout('raw', spoutOf<unknown>(schema)).fields(wrong<never>('any')), nothing);
    }).build();
  }
});

test('names that are empty, odd, too long or reserved', () => {
  const names = ['', '__acker', 'a b', 'a/b', 'ä', '.', '..', '.a', '-a', 'a'.repeat(101), 'a\n', wrong<string>(7)];
  for (const name of names) {
    assert.throws(() => topology(name, nothing), {
      code: 'MR_NAME',
      message: /^topology name .* is not allowed: use /,
    });
    refuses('MR_NAME', /^component name /, (t) => void t.spout(name, readings));
    if (typeof name !== 'string') continue; // as the key of a record it would be text
    refuses('MR_NAME', /^'b': input name /, (t) => {
      t.bolt('b', { [name]: t.spout('raw', readings).shuffle() }, nothing);
    });
    refuses('MR_NAME', /^'raw': stream name /, (t) => {
      t.spout('raw', spout({ emits: { [name]: type<1>() }, open: () => ({ nextTuple() {} }) }));
    });
  }
  for (const name of ['a', '_a', '0', 'A.b_c-9', 'a'.repeat(100)])
    topology(name, (t) => void t.spout(name, readings)).build();
});

test("a stream named 'default', which is the name of the unnamed one", () => {
  assert.throws(() => bolt({ emits: { default: type<1>() }, prepare: () => ({ execute() {} }) }), {
    code: 'MR_NAME',
    message: /^stream name "default" is not allowed: .*'default' for a stream$/,
  });
});

test('a stream without a grouping, and other things that are no input', () => {
  refuses(
    'MR_OPTION',
    /^'b': its input is \{.*"raw".*, which is not a stream with a grouping, such as readings\.shuffle\(\)$/,
    (t) => {
      t.bolt('b', wrong<Inputs>(t.spout('raw', readings)), nothing);
    },
  );
  refuses('MR_OPTION', /^'b': its input 'r' is \{/, (t) => {
    t.bolt('b', wrong<Inputs>({ r: t.spout('raw', readings) }), nothing);
  });
  for (const input of [undefined, null, 'raw', 3]) {
    refuses('MR_OPTION', /^'s': its input is .*, which is not a stream with a grouping/, (t) => {
      t.spout('raw', readings);
      t.sink('s', wrong<Input<unknown>>(input), sink({ mode: 'append', batch: { size: 1, every: 1 }, write() {} }));
    });
  }
});

test('a direct stream takes direct(), and no other stream does', () => {
  const jobs = spout({
    emits: { work: direct(type<Reading>()), all: type<Reading>() },
    open: () => ({ nextTuple() {} }),
  });
  refuses('MR_OPTION', /^'b': the grouping of jobs\.work is "shuffle", which is not direct\(\), as/, (t) => {
    t.bolt('b', wrong<Stream<Reading>>(t.spout('jobs', jobs).work).shuffle(), nothing);
  });
  refuses(
    'MR_OPTION',
    /^'b': the grouping of jobs\.all is "direct", .*declare the stream with direct\(schema\) first$/,
    (t) => {
      t.bolt('b', wrong<{ direct(): Inputs }>(t.spout('jobs', jobs).all).direct(), nothing);
    },
  );
});

test('state per key behind an input without a key', () => {
  const counts = bolt({ state: { n: value(0) }, prepare: () => ({ execute(_: Reading) {} }) });
  const unkeyed = ['shuffle', 'localOrShuffle', 'none', 'all'] as const;
  for (const grouping of unkeyed) {
    refuses(
      'MR_STATE_WITHOUT_KEY',
      "'b' keeps state or timers per key, but an input has no key: group it by fields(), keyBy() or global()",
      (t) => {
        t.bolt('b', wrong<Input<Reading, string>>(t.spout('raw', readings)[grouping]()), counts);
      },
    );
  }
  refuses('MR_STATE_WITHOUT_KEY', /^'b'/, (t) => {
    const raw = t.spout('raw', readings);
    t.bolt(
      'b',
      wrong<Inputs>({ keyed: raw.fields('device'), not: raw.partialKey((r) => r.device) }),
      wrong<() => void>(counts),
    );
  });
  topology('x', (t) => {
    const raw = t.spout('raw', readings);
    t.bolt('a', raw.fields('device'), counts);
    t.bolt(
      'b',
      raw.keyBy((r) => r.value),
      counts,
    );
    t.bolt('c', raw.global(), counts);
  }).build();
});

test('parallelism that is not a positive integer up to the number of key groups', () => {
  for (const parallelism of [
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    257,
    wrong<number>('2'),
    wrong<number>(2n),
  ]) {
    const message = new RegExp(`^'raw': parallelism "?${parallelism}"? is not a positive integer up to 256 `);
    refuses('MR_PARALLELISM', message, (t) => void t.spout('raw', readings, { parallelism }));
  }
  topology('x', (t) => void t.spout('raw', readings, { parallelism: 256 })).build();
});

test('options of bolts and sinks that cannot work', () => {
  const call = (concurrency: number, timeout: number) =>
    asyncBolt({ concurrency, timeout, execute: async (_: Reading) => {} });
  const rows = (size: number, every: number, mode: 'append' | 'upsert' = 'append') =>
    sink({ mode, batch: { size, every }, write: (_: readonly Reading[]) => {} });
  refuses('MR_OPTION', "'b': concurrency is 0, which is not an integer from 1 to 10000000", (t) => {
    t.bolt('b', t.spout('raw', readings).shuffle(), call(0, 1));
  });
  refuses('MR_OPTION', "'b': timeout is 0, which is not at least 1 ms", (t) => {
    t.bolt('b', t.spout('raw', readings).shuffle(), call(1, 0));
  });
  refuses('MR_OPTION', /^'s': batch\.size is NaN, /, (t) =>
    t.sink('s', t.spout('raw', readings).shuffle(), rows(Number.NaN, 1)),
  );
  refuses('MR_OPTION', /^'s': batch\.every is -1, which is not a duration/, (t) => {
    t.sink('s', t.spout('raw', readings).shuffle(), rows(1, -1));
  });
});
