/**
 * Publishes the epochs of a sink into a topic, each in one transaction, with a marker that says which epoch it was and which
 * start of the topology may publish (law 5).
 *
 * Two things keep an older start from publishing. The log lets only the publisher that took the transactional id last
 * commit. That alone would not do, since an older start that was paused may wake up and take the id last of all. So a start
 * writes its number into the marker as it claims, and whoever takes the id reads the marker first: it never goes on after a
 * larger number. The newer start, fenced by mistake, takes the id again, finds its own number, and goes on.
 *
 * Nothing of this can be overtaken. A marker changes in transactions under the id alone, so what was read after taking the
 * id stays true for as long as the id is held, and a transaction that commits proves that it was.
 *
 * Whatever a publication throws, it is settled before the next: the id is taken again, which ends what was open, and the
 * marker tells whether the epoch is there.
 */
import { MillraceError } from '../errors.ts';
import { compareEpochs, type Epoch } from '../topology/epoch.ts';
import type { EpochWriter } from '../topology/sink.ts';
import type { Task } from '../topology/task.ts';
import { CONTROL_TOPIC } from './control-topic.ts';
import type { NewRecord, TopicLog, TopicTransactions } from './topic-log.ts';
import { TransactionFenced, topicLog } from './topic-log.ts';

/** What the control topic says of a sink, as JSON. */
interface Marker {
  /** The start of the topology that claimed last, and a word that tells it from another of the same number. */
  readonly incarnation: number;
  readonly claim: string;
  /** What was published last, by whichever start. */
  readonly published: Epoch | null;
}

const NAMESPACE = 'millrace';
/** How often an id is taken that others take away. Each older start that wakes up does so once. */
const MOST_TAKES = 10;

/** Names have dots, so a dot could not tell where the topology's ends. */
function transactionalId({ topology, component }: Task): string {
  return `${NAMESPACE}.${topology}/${component}`;
}

export class TopicEpochs implements EpochWriter<NewRecord> {
  readonly #task: Task;
  readonly #topic: string;
  readonly #log: TopicLog;
  readonly #transactions: TopicTransactions;
  readonly #claim: string;
  #incarnation = 0;
  #published: Epoch | null = null;
  /** The id is held, and nothing is under way whose end is not known. */
  #settled = false;

  constructor(task: Task, topic: string) {
    this.#task = task;
    this.#topic = topic;
    this.#log = task.use(topicLog);
    this.#transactions = this.#log.transactions(transactionalId(task));
    this.#claim = Math.floor(task.random() * 2 ** 52).toString(36);
  }

  async claim(incarnation: number): Promise<Epoch | undefined> {
    this.#incarnation = incarnation;
    for (let takes = 1; ; takes++) {
      const isOwn = await this.#take();
      // The second time round the first may turn out to have been committed.
      if (isOwn || (await this.#commit([], this.#published, takes))) return this.#published ?? undefined;
      await this.#stepBack(takes);
    }
  }

  async publish(epoch: Epoch, records: readonly NewRecord[]): Promise<void> {
    for (let takes = 1; ; takes++) {
      if (!this.#settled) await this.#take();
      if (this.#published && compareEpochs(this.#published, epoch) >= 0) return;
      if (await this.#commit(records, epoch, takes)) return;
      await this.#stepBack(takes);
    }
  }

  /** Takes the id and learns what was published. True if the marker is ours. MR_SINK_CLAIMED if a newer start's. */
  async #take(): Promise<boolean> {
    const marker = markerOf(await this.#transactions.claim());
    const isOwn = marker !== undefined && marker.incarnation === this.#incarnation && marker.claim === this.#claim;
    // What was published counts, too: who counts from below it would publish what is taken for old.
    const newest = Math.max(marker?.incarnation ?? 0, marker?.published?.incarnation ?? 0);
    if (!isOwn && newest >= this.#incarnation) {
      const target = `topic '${this.#topic}'`;
      throw new MillraceError('MR_SINK_CLAIMED', [this.#task.component, target, this.#incarnation, newest]);
    }
    this.#published = marker?.published ?? null;
    this.#settled = true;
    return isOwn;
  }

  /**
   * Two that claim at the same time could take the id from each other for ever, each before the other has written its
   * marker. So whoever has lost it lets some time pass: as long as a few questions to the log take, more each time.
   */
  async #stepBack(takes: number): Promise<void> {
    const questions = Math.floor(this.#task.random() * 2 ** takes);
    for (let asked = 0; asked < questions; asked++) await this.#log.offsets(CONTROL_TOPIC, 'latest');
  }

  /** False: the id was taken away, and may be taken back. */
  async #commit(records: readonly NewRecord[], published: Epoch | null, takes: number): Promise<boolean> {
    this.#settled = false;
    const marker = { incarnation: this.#incarnation, claim: this.#claim, published };
    try {
      await this.#transactions.publish(this.#topic, records, bytesOf(marker));
    } catch (thrown) {
      if (thrown instanceof TransactionFenced && takes < MOST_TAKES) return false;
      throw thrown;
    }
    this.#settled = true;
    this.#published = published;
    return true;
  }
}

function bytesOf(marker: Marker): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(marker));
}

function markerOf(bytes: Uint8Array | undefined): Marker | undefined {
  return bytes && (JSON.parse(new TextDecoder().decode(bytes)) as Marker);
}
