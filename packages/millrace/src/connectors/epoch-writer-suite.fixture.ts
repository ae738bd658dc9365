/**
 * What every transactional sink must do with epochs (`EpochWriter` in topology/sink.ts), whatever it publishes to. A sink
 * says how to look at what readers see, and how to make it fail in the middle.
 */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import type { Epoch } from '../topology/epoch.ts';
import type { Sink, Takes } from '../topology/sink.ts';
import { type DrivenEpochs, type DriveOptions, driveEpochs } from './drive.ts';

export interface Target {
  /** A sink of texts, and the resources it needs; nothing has been published to it. */
  readonly sink: Sink<Takes<string>>;
  readonly options?: DriveOptions;
  /** The texts that a reader sees now, in order. */
  readonly visible: () => Promise<readonly string[]> | readonly string[];
  /** From now on publishing fails, after some of the entries at the earliest; gives what mends it. */
  readonly break: () => () => void;
  readonly close?: () => Promise<void> | void;
}

const epoch = (incarnation: number, number: number): Epoch => ({ incarnation, number });
const CLAIMED = { code: 'MR_SINK_CLAIMED' };

export function epochWriterSuite(name: string, make: () => Promise<Target> | Target): void {
  const start = async (t: TestContext) => {
    const target = await make();
    const opened: DrivenEpochs<string>[] = [];
    t.after(async () => {
      for (const writer of opened) await writer.close();
      await target.close?.();
    });
    return {
      target,
      visible: async () => [...(await target.visible())],
      open: async () => {
        const writer = await driveEpochs(target.sink, target.options);
        opened.push(writer);
        return writer;
      },
    };
  };

  describe(`${name} publishes epochs`, () => {
    test('in order, each with its values in order', async (t) => {
      const { open, visible } = await start(t);
      const writer = await open();
      assert.equal(await writer.claim(1), undefined);
      assert.deepEqual(await visible(), []);
      await writer.publish(epoch(1, 1), ['a', 'b']);
      assert.deepEqual(await visible(), ['a', 'b']);
      await writer.publish(epoch(1, 2), ['c']);
      await writer.publish(epoch(1, 10), ['d', 'e', 'f']);
      assert.deepEqual(await visible(), ['a', 'b', 'c', 'd', 'e', 'f']);
    });

    test('and the next start learns which was the last, whoever made it', async (t) => {
      const { open, visible } = await start(t);
      const first = await open();
      await first.claim(3);
      await first.publish(epoch(2, 9), ['of the start before']);
      await first.publish(epoch(3, 10), ['own']);
      await first.close();
      const second = await open();
      assert.deepEqual(await second.claim(5), epoch(3, 10));
      await second.close();
      const third = await open();
      assert.deepEqual(await third.claim(6), epoch(3, 10), 'also when a start between published nothing');
      await third.publish(epoch(6, 11), ['next']);
      assert.deepEqual(await visible(), ['of the start before', 'own', 'next']);
    });

    test('with the id of a start before a number: a later start may count from anywhere', async (t) => {
      const { open, visible } = await start(t);
      const first = await open();
      await first.claim(1);
      await first.publish(epoch(1, 50), ['a']);
      const second = await open();
      await second.claim(2);
      await second.publish(epoch(2, 3), ['b']);
      assert.deepEqual(await (await open()).claim(3), epoch(2, 3));
      assert.deepEqual(await visible(), ['a', 'b']);
    });

    test('once: what was published is recognised after a restart', async (t) => {
      const { open, visible } = await start(t);
      const first = await open();
      await first.claim(1);
      await first.publish(epoch(1, 1), ['a']);
      await first.publish(epoch(1, 2), ['b']);
      await first.close();
      const second = await open();
      await second.claim(2);
      await second.publish(epoch(1, 1), ['a']);
      await second.publish(epoch(1, 2), ['b']);
      assert.deepEqual(await visible(), ['a', 'b']);
      await second.publish(epoch(1, 3), ['c']);
      assert.deepEqual(await visible(), ['a', 'b', 'c']);
    });

    test('never for a start that another has taken over from, even if both are open', async (t) => {
      const { open, visible } = await start(t);
      const zombie = await open();
      await zombie.claim(1);
      await zombie.publish(epoch(1, 1), ['a']);
      const successor = await open();
      assert.deepEqual(await successor.claim(2), epoch(1, 1));
      await assert.rejects(zombie.publish(epoch(1, 2), ['zombie']), CLAIMED);
      await successor.publish(epoch(1, 2), ['b']);
      await assert.rejects(zombie.publish(epoch(1, 2), ['zombie']), CLAIMED);
      await assert.rejects(zombie.publish(epoch(1, 3), ['zombie']), CLAIMED);
      await successor.publish(epoch(2, 3), ['c']);
      assert.deepEqual(await visible(), ['a', 'b', 'c']);
      assert.deepEqual(await (await open()).claim(3), epoch(2, 3));
    });

    test('never for an older start that comes late, nor for two with the same number', async (t) => {
      const { open, visible } = await start(t);
      const newer = await open();
      await newer.claim(2);
      for (const incarnation of [1, 2]) await assert.rejects((await open()).claim(incarnation), CLAIMED);
      await newer.publish(epoch(2, 1), ['a']);
      await newer.close();
      for (const incarnation of [1, 2]) await assert.rejects((await open()).claim(incarnation), CLAIMED);
      assert.deepEqual(await visible(), ['a']);
      const refused = await open();
      await assert.rejects(refused.claim(1), CLAIMED);
      assert.deepEqual(await refused.claim(3), epoch(2, 1), 'and it may claim again, with a larger number');
      await refused.publish(epoch(3, 2), ['b']);
      assert.deepEqual(await visible(), ['a', 'b']);
    });

    test('above whatever was published: a start that counts from below would publish what is taken for old', async (t) => {
      const { open, visible } = await start(t);
      const first = await open();
      await first.claim(1);
      await first.publish(epoch(6, 1), ['a']);
      await first.close();
      const second = await open();
      for (const incarnation of [2, 6]) await assert.rejects(second.claim(incarnation), CLAIMED);
      assert.deepEqual(await second.claim(7), epoch(6, 1));
      await second.publish(epoch(7, 1), ['b']);
      assert.deepEqual(await visible(), ['a', 'b']);
    });

    test('all or nothing: one that fails in the middle leaves nothing to see, and may be tried again', async (t) => {
      const { target, open, visible } = await start(t);
      const writer = await open();
      await writer.claim(1);
      await writer.publish(epoch(1, 1), ['a']);
      const many = Array.from({ length: 3_000 }, (_, i) => `b${i}`);
      const mend = target.break();
      for (let attempt = 0; attempt < 2; attempt++) {
        await assert.rejects(writer.publish(epoch(1, 2), many));
        assert.deepEqual(await visible(), ['a']);
      }
      mend();
      await writer.publish(epoch(1, 2), many);
      await writer.publish(epoch(1, 3), ['c']);
      assert.deepEqual(await visible(), ['a', ...many, 'c']);
    });

    test('all or nothing: of one that failed the next start is told what readers see', async (t) => {
      const { target, open, visible } = await start(t);
      const first = await open();
      await first.claim(1);
      await first.publish(epoch(1, 1), ['a']);
      const mend = target.break();
      await assert.rejects(first.publish(epoch(1, 2), ['b', 'c']));
      assert.deepEqual(await visible(), ['a']);
      mend();
      const second = await open();
      const last = await second.claim(2);
      assert.deepEqual(await visible(), last?.number === 1 ? ['a'] : ['a', 'b', 'c']);
      await second.publish(epoch(1, 2), ['b', 'c']);
      assert.deepEqual(await visible(), ['a', 'b', 'c']);
    });
  });
}
