import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchOf, durable, opened } from './client.fixture.ts';
import { committedValue } from './key-lookup.ts';
import type { Partition } from './partition.ts';

const compacted = {
  'cleanup.policy': 'compact',
  'segment.bytes': 500,
  'min.cleanable.dirty.ratio': 0,
  'delete.retention.ms': 1_000,
} as const;

interface Sent {
  readonly key: string;
  readonly value: string;
  readonly producerId?: number;
}

/** Numbers each producer's batches. */
function writer(partition: Partition) {
  const sequences = new Map<number, number>();
  return {
    send({ key, value, producerId }: Sent): void {
      const sequence = producerId === undefined ? -1 : (sequences.get(producerId) ?? 0);
      if (producerId !== undefined) sequences.set(producerId, sequence + 1);
      const producer = producerId === undefined ? {} : { producerId, sequence, transactional: true };
      partition.appendFromClient(batchOf([value], { key, ...producer }));
    },
    end(producerId: number, commit: boolean): void {
      partition.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, commit });
    },
    all: () => durable(partition, partition),
  };
}

async function settled(): Promise<void> {
  for (let n = 0; n < 20; n++) await undefined;
}

const worth = (partition: Partition, key: string) => {
  const found = committedValue(partition, Buffer.from(key));
  return found && Buffer.from(found).toString();
};

test('the last committed value of a key is found behind an open transaction of somebody else', async () => {
  const { log, partition } = await opened();
  const { send, end, all } = writer(partition);
  assert.equal(worth(partition, 'k'), undefined);
  send({ key: 'other', value: 'open', producerId: 9 });
  send({ key: 'k', value: 'plain' });
  send({ key: 'k', value: 'committed', producerId: 1 });
  send({ key: 'k', value: 'committed later in it', producerId: 1 });
  end(1, true);
  await all();
  assert.equal(partition.lastStableOffset, 0, 'readers wait');
  assert.equal(worth(partition, 'k'), 'committed later in it');
  assert.equal(worth(partition, 'other'), undefined);
  end(9, true);
  await all();
  assert.equal(worth(partition, 'other'), 'open');
  await log.close();
});

test('what is aborted, open, or not yet durable says nothing', async () => {
  const { log, partition } = await opened();
  const { send, end, all } = writer(partition);
  send({ key: 'k', value: 'first', producerId: 1 });
  end(1, true);
  send({ key: 'k', value: 'aborted', producerId: 1 });
  end(1, false);
  send({ key: 'k', value: 'open', producerId: 1 });
  await all();
  assert.equal(worth(partition, 'k'), 'first');
  end(1, true);
  assert.equal(worth(partition, 'k'), 'first', 'the marker may still be lost');
  await all();
  assert.equal(worth(partition, 'k'), 'open');
  await log.close();
});

test('of two that were committed the later record counts, as for a reader, whichever was committed first', async () => {
  const { log, partition } = await opened();
  const { send, end, all } = writer(partition);
  send({ key: 'k', value: 'one', producerId: 1 });
  send({ key: 'k', value: 'two', producerId: 2 });
  end(2, true);
  end(1, true);
  await all();
  assert.equal(worth(partition, 'k'), 'two');
  await log.close();
});

test('compaction takes nothing that it needs, and little is left to look through', async () => {
  const { log, partition, clock } = await opened(compacted);
  const { send, end, all } = writer(partition);
  send({ key: 'silent', value: 'long ago', producerId: 5 });
  end(5, true);
  send({ key: 'k', value: 'aborted', producerId: 6 });
  end(6, false);
  for (let epoch = 1; epoch <= 200; epoch++) {
    send({ key: 'k', value: `epoch ${epoch}`, producerId: 1 });
    end(1, true);
    if (epoch % 20 === 0) await all();
    if (epoch % 50 !== 0) continue;
    // What one look marks as spent goes with the next.
    for (let step = 0; step < 300; step++) {
      await settled();
      clock.advance(step % 100 === 0 ? 15_000 : 20);
    }
  }
  await all();
  assert.ok(partition.bytes < 10_000, `${partition.bytes} bytes are left`);
  assert.equal(worth(partition, 'k'), 'epoch 200');
  assert.equal(worth(partition, 'silent'), 'long ago');
  await log.close();
});
