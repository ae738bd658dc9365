/** What every ledger must do (law 8). A new store gets a row in `stores` and no test of its own for any of this. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { realRuntime } from '../runtime/real.ts';
import type { Ledger, NewEntry } from './ledger.ts';
import type { LedgerLimits, Shed } from './limits.ts';
import { memoryLedger } from './memory.ts';
import { sqliteLedger } from './sqlite.ts';

interface Opened {
  readonly ledger: Ledger;
  cleanUp(): void;
}

const stores: Record<string, (limits: LedgerLimits) => Opened> = {
  memory: (limits) => ({ ledger: memoryLedger(limits), cleanUp: () => {} }),
  sqlite(limits) {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-ledger-'));
    const ledger = sqliteLedger(join(folder, 'ledger.db'), { ...limits, timers: realRuntime().timers });
    return { ledger, cleanUp: () => rmSync(folder, { recursive: true }) };
  },
};

function entry(n: number, changes: Partial<NewEntry> = {}): NewEntry {
  return {
    id: `id-${n}`,
    at: 1000 + n,
    topology: 'words',
    component: 'count',
    input: undefined,
    cause: 'error',
    detail: `failed on ${n}`,
    origin: { spout: 'lines', split: '0', position: n },
    time: 500 + n,
    encoding: 'record',
    payload: Uint8Array.of(n, n, n, n),
    ...changes,
  };
}

/** An entry as a store gives it back, its payload as a plain list of numbers. */
function plain(found: ReturnType<Ledger['get']>): unknown {
  return found && { ...found, payload: found.payload && [...found.payload] };
}

for (const [name, open] of Object.entries(stores)) {
  const within = async (limits: LedgerLimits, check: (ledger: Ledger) => Promise<void>) => {
    const { ledger, cleanUp } = open(limits);
    try {
      await check(ledger);
    } finally {
      await ledger.close();
      cleanUp();
    }
  };

  describe(`the ${name} ledger`, () => {
    test('gives every field back as it was recorded', () =>
      within({}, async (ledger) => {
        const full = entry(1, { input: 'left', encoding: 'value', detail: 'größer — "x"\n', cause: 'malformed' });
        const bare = entry(2, { origin: undefined, payload: null, time: Number.NaN, cause: 'null' });
        const empty = entry(3, {
          payload: new Uint8Array(0),
          origin: { spout: 's', split: '/a b', position: 2 ** 53 - 1 },
        });
        await Promise.all([full, bare, empty].map((one) => ledger.record(one)));
        for (const one of [full, bare, empty])
          assert.deepEqual(plain(ledger.get(one.id)), {
            ...one,
            payload: one.payload && [...one.payload],
            shed: false,
            replayed: undefined,
          });
        assert.equal(ledger.get('id-9'), undefined);
      }));

    test('adds an id once, whatever comes with it later', () =>
      within({}, async (ledger) => {
        await Promise.all([ledger.record(entry(1)), ledger.record(entry(1, { detail: 'again' }))]);
        await ledger.record(entry(1, { detail: 'and again' }));
        assert.deepEqual(
          ledger.list().map(({ detail }) => detail),
          ['failed on 1'],
        );
        assert.deepEqual(ledger.counts(), [
          { topology: 'words', component: 'count', cause: 'error', count: 1, shed: 0 },
        ]);
      }));

    test('an id that comes again takes no room', () =>
      within(
        { maxEntries: 2, maxPayloadBytes: 8, onShed: () => assert.fail('nothing had to be given up') },
        async (ledger) => {
          for (const n of [1, 1, 1, 2, 2, 1]) await ledger.record(entry(n));
          assert.deepEqual(
            ledger.list().map(({ id }) => id),
            ['id-2', 'id-1'],
          );
        },
      ));

    test('lists what is asked for, newest first', () =>
      within({}, async (ledger) => {
        for (const n of [1, 2, 3, 4, 5])
          await ledger.record(
            entry(n, {
              component: n % 2 ? 'odd' : 'even',
              cause: n > 3 ? 'null' : 'error',
              topology: n === 5 ? 'other' : 'words',
            }),
          );
        const ids = (query: Parameters<Ledger['list']>[0]) => ledger.list(query).map(({ id }) => id);
        assert.deepEqual(ids({}), ['id-5', 'id-4', 'id-3', 'id-2', 'id-1']);
        assert.deepEqual(ids({ limit: 2 }), ['id-5', 'id-4']);
        assert.deepEqual(ids({ component: 'odd' }), ['id-5', 'id-3', 'id-1']);
        assert.deepEqual(ids({ component: 'odd', cause: 'error', limit: 1 }), ['id-3']);
        assert.deepEqual(ids({ topology: 'other', cause: 'error' }), []);
        assert.deepEqual(
          ledger.counts().map(({ topology, component, cause, count }) => [topology, component, cause, count]),
          [
            ['other', 'odd', 'null', 1],
            ['words', 'even', 'error', 1],
            ['words', 'even', 'null', 1],
            ['words', 'odd', 'error', 2],
          ],
        );
      }));

    test('lists a hundred unless asked for more', () =>
      within({}, async (ledger) => {
        await Promise.all(Array.from({ length: 120 }, (_, n) => ledger.record(entry(n))));
        assert.equal(ledger.list().length, 100);
        assert.equal(ledger.list({ limit: 1000 }).length, 120);
      }));

    test('remembers when an entry was replayed', () =>
      within({}, async (ledger) => {
        await ledger.record(entry(1));
        ledger.markReplayed('id-1', 77);
        ledger.markReplayed('id-9', 78);
        assert.equal(ledger.get('id-1')?.replayed, 77);
        assert.equal(ledger.list().length, 1);
      }));

    test('deletes entries that are older than the newest by more than the retention', () =>
      within({ retention: '10s' }, async (ledger) => {
        for (const at of [0, 1, 9_000, 10_001]) await ledger.record(entry(at, { at }));
        assert.deepEqual(
          ledger.list().map(({ at }) => at),
          [10_001, 9_000, 1],
        );
      }));

    test('deletes the oldest entries beyond the number that it may keep', () =>
      within({ maxEntries: 2 }, async (ledger) => {
        for (const n of [1, 2, 3, 4]) await ledger.record(entry(n));
        assert.deepEqual(
          ledger.list().map(({ id }) => id),
          ['id-4', 'id-3'],
        );
      }));

    test('gives up the oldest payloads beyond its bytes, keeps their entries, and says so', async () => {
      const notices: Shed[] = [];
      await within({ maxPayloadBytes: 10, onShed: (shed) => notices.push(shed) }, async (ledger) => {
        for (const n of [1, 2, 3, 4]) await ledger.record(entry(n));
        assert.deepEqual(
          ledger.list().map(({ id, payload, shed }) => [id, payload?.byteLength ?? null, shed]),
          [
            ['id-4', 4, false],
            ['id-3', 4, false],
            ['id-2', null, true],
            ['id-1', null, true],
          ],
        );
        assert.deepEqual(notices, [
          { payloads: 1, bytes: 4 },
          { payloads: 1, bytes: 4 },
        ]);
        assert.equal(ledger.counts()[0]?.shed, 2);
      });
    });

    test('deleted entries give their bytes back', () =>
      within(
        { maxPayloadBytes: 8, maxEntries: 2, onShed: () => assert.fail('nothing had to be given up') },
        async (ledger) => {
          for (const n of [1, 2, 3, 4, 5]) await ledger.record(entry(n));
          assert.deepEqual(
            ledger.list().map(({ shed }) => shed),
            [false, false],
          );
        },
      ));

    test('one payload that is too large costs the others nothing', async () => {
      const notices: Shed[] = [];
      await within({ maxPayloadBytes: 10, onShed: (shed) => notices.push(shed) }, async (ledger) => {
        await ledger.record(entry(1));
        await ledger.record(entry(2, { payload: new Uint8Array(11) }));
        assert.deepEqual(
          ledger.list().map(({ shed }) => shed),
          [true, false],
        );
        assert.deepEqual(notices, [{ payloads: 1, bytes: 11 }]);
      });
    });

    test('keeps the payload as it was when it was recorded', () =>
      within({}, async (ledger) => {
        const payload = Uint8Array.of(1, 2);
        await ledger.record(entry(1, { payload }));
        payload.fill(9);
        assert.deepEqual([...(ledger.get('id-1')?.payload ?? [])], [1, 2]);
      }));
  });
}
