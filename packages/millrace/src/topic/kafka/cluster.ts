/**
 * The brokers as one place to ask: connections, who leads which partition, and the patience for what passes by itself.
 *
 * Each question is asked once here, and what a broker that is away costs is decided above, in one way: `patiently` asks
 * again after a pause that grows, for `FIRST_PATIENCE` before any broker has ever answered (an address is probably
 * wrong) and for `PATIENCE` later (a broker is probably being restarted).
 */
import { type API, Base, type Broker, ConnectionPool, kGetApi } from '@platformatic/kafka';
import { MillraceError } from '../../errors.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import { Again, answerOf, errorName, isStale, sorted } from './failure.ts';
import type { MetadataResponse } from './wire.ts';

export interface KafkaOptions {
  /** Where to find the cluster: `host:port`, `[v6]:port`; the other brokers are learnt from those. */
  readonly brokers: readonly string[];
  /** How the brokers' logs and quotas name us. */
  readonly clientId: string;
  readonly runtime: Pick<Runtime, 'clock' | 'timers' | 'random'>;
  /** Hears when brokers go away and come back. */
  readonly log: (text: string) => void;
}

const FIRST_PATIENCE = 10_000;
const PATIENCE = 120_000;
/** A topic that the brokers do not know for so long is gone; right after its creation they may not know it yet. */
const GONE_AFTER = 10_000;
const LEAST_PAUSE = 50;
const MOST_PAUSE = 5_000;

/** A topic as the brokers describe it. */
export interface Place {
  /** What fetches call it: its id where the brokers know ids. */
  readonly id: string;
  /** The leader's node by partition, -1 where there is none at the moment. */
  readonly leaders: readonly number[];
}

export class Cluster {
  readonly runtime: KafkaOptions['runtime'];
  readonly log: (text: string) => void;
  readonly #options: KafkaOptions;
  readonly #client: Base;
  readonly #bootstrap: readonly Broker[];
  readonly #pools = new Map<string, ConnectionPool>();
  readonly #nodes = new Map<number, Broker>();
  readonly #places = new Map<string, Place>();
  readonly #looking = new Map<string, Promise<Place>>();
  readonly #missingSince = new Map<string, number>();
  readonly #pauses = new Set<() => void>();
  #away = false;
  #met = false;
  #closed = false;

  constructor(options: KafkaOptions) {
    this.#options = options;
    this.runtime = options.runtime;
    this.log = options.log;
    this.#bootstrap = options.brokers.map(brokerAt);
    const { clientId } = options;
    // What fails is tried again here, by the clock that was handed in.
    this.#client = new Base({ clientId, bootstrapBrokers: [...this.#bootstrap], retries: 0 });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** One request and its answer, error codes within included. Throws `Again` when there was no answer. */
  async ask<A extends unknown[], R>(to: number | undefined, api: string, args: A, lane = 'calls'): Promise<R> {
    const broker = to === undefined ? undefined : this.#nodes.get(to);
    if (to !== undefined && !broker) throw new Again(`broker ${to} is not in the cluster`);
    const address = broker ? `${broker.host}:${broker.port}` : this.#options.brokers.join(', ');
    try {
      const call = await this.#api<A, R>(api);
      const pool = this.#pool(lane);
      const known = [...this.#bootstrap, ...this.#nodes.values()];
      const connection = await (broker ? pool.get(broker) : pool.getFirstAvailable(known));
      const answer = await call.async(connection, ...args);
      this.#answered();
      return answer;
    } catch (error) {
      const answer = answerOf(error);
      if (answer !== undefined) {
        this.#answered();
        return answer as R;
      }
      if (this.#closed) throw closed();
      throw sorted(error, address);
    }
  }

  /** The version of an API that will be used. */
  async version(api: string): Promise<number> {
    try {
      return (await this.#api(api)).version;
    } catch (error) {
      throw sorted(error, this.#options.brokers.join(', '));
    }
  }

  /** Tries until it is done, fails for good, or has been failing for too long. `doing`: "to …". */
  async patiently<T>(doing: string, attempt: () => Promise<T>): Promise<T> {
    const { clock } = this.runtime;
    const since = clock.monotonic();
    for (let failures = 0; ; failures++) {
      try {
        return await attempt();
      } catch (error) {
        if (!(error instanceof Again)) throw error;
        const patience = this.#met ? PATIENCE : FIRST_PATIENCE;
        const pause = this.pauseAfter(failures);
        if (clock.monotonic() - since + pause > patience) throw this.unanswered(doing, error);
        await this.pause(pause);
      }
    }
  }

  unanswered(doing: string, error: Error): MillraceError {
    return new MillraceError('MR_BROKERS', [this.#options.brokers.join(', '), doing, error.message], error);
  }

  /** Milliseconds to wait after so many failures: twice as long each time, and not in step with others. */
  pauseAfter(failures: number): number {
    return Math.min(MOST_PAUSE, LEAST_PAUSE * 2 ** failures) * (0.8 + 0.4 * this.runtime.random());
  }

  /** Rejects when the log is closed meanwhile. */
  pause(ms: number): Promise<void> {
    if (this.#closed) return Promise.reject(closed());
    return new Promise((resolve, reject) => {
      const end = () => {
        cancel();
        this.#pauses.delete(end);
        if (this.#closed) reject(closed());
        else resolve();
      };
      const cancel = this.runtime.timers.after(ms, end);
      this.#pauses.add(end);
    });
  }

  /** What is known of a topic, or is learnt now. Throws `Again` while it has no answer or the topic is just being made. */
  async place(topic: string): Promise<Place> {
    const known = this.#places.get(topic);
    if (known) return known;
    let looking = this.#looking.get(topic);
    if (!looking) {
      looking = this.#look(topic).finally(() => this.#looking.delete(topic));
      this.#looking.set(topic, looking);
    }
    return looking;
  }

  /** Where a broker is. */
  learn({ nodeId, host, port }: { readonly nodeId: number; readonly host: string; readonly port: number }): void {
    this.#nodes.set(nodeId, { host, port });
  }

  known(topic: string): Place | undefined {
    return this.#places.get(topic);
  }

  /** What was known is stale: the next `place` asks. */
  forget(topic: string): void {
    this.#places.delete(topic);
  }

  /** The topic as the brokers have it, undefined if they have none of that name. */
  async find(topic: string): Promise<Place | undefined> {
    const response = await this.#metadata(topic);
    const found = response.topics.find(({ name }) => name === topic);
    const code = found?.errorCode ?? 3;
    if (errorName(code) === 'UNKNOWN_TOPIC_OR_PARTITION') return undefined;
    if (code !== 0 && !isStale(code))
      throw new MillraceError('MR_BROKER_REFUSED', [`to describe topic '${topic}'`, errorName(code), 'see its ACLs']);
    if (code !== 0 || !found) throw new Again(`topic '${topic}': ${errorName(code)}`);
    const leaders: number[] = [];
    for (const { partitionIndex, leaderId } of found.partitions) leaders[partitionIndex] = leaderId;
    const place = { id: hasIds(found.topicId) ? found.topicId : topic, leaders };
    this.#places.set(topic, place);
    this.#missingSince.delete(topic);
    return place;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of [...this.#pauses]) end();
    const pools = [...this.#pools.values()];
    await Promise.all([this.#client.close(), ...pools.map((pool) => pool.close())]);
  }

  /** A broker that is away is told of once, and once more when it answers again. */
  missed(node: number, error: Error): void {
    if (this.#away || this.#closed) return;
    this.#away = true;
    const broker = this.#nodes.get(node);
    const name = broker ? `broker ${broker.host}:${broker.port}` : `broker ${node}`;
    this.log(`${name} does not answer: ${error.message}; trying again until it does`);
  }

  #answered(): void {
    this.#met = true;
    if (!this.#away) return;
    this.#away = false;
    this.log('the brokers answer again');
  }

  async #look(topic: string): Promise<Place> {
    const place = await this.find(topic);
    if (place) return place;
    const now = this.runtime.clock.monotonic();
    const since = this.#missingSince.get(topic) ?? now;
    this.#missingSince.set(topic, since);
    if (now - since > GONE_AFTER) throw new MillraceError('MR_TOPIC_GONE', [topic]);
    throw new Again(`the brokers know no topic '${topic}'`);
  }

  async #metadata(topic: string): Promise<MetadataResponse> {
    const response = await this.ask<unknown[], MetadataResponse>(undefined, 'Metadata', [[topic], false, false]);
    for (const broker of response.brokers) this.learn(broker);
    return response;
  }

  #api<A extends unknown[], R>(name: string) {
    if (this.#closed) throw closed();
    return new Promise<API<A, R>>((resolve, reject) => {
      this.#client[kGetApi]<A, R>(name, (error, found) => (found ? resolve(found) : reject(error)));
    });
  }

  #pool(lane: string): ConnectionPool {
    if (lane === 'calls') return this.#client.connections;
    let pool = this.#pools.get(lane);
    if (!pool) {
      pool = new ConnectionPool(this.#options.clientId);
      this.#pools.set(lane, pool);
    }
    return pool;
  }
}

function closed(): Error {
  return new Error('the log is closed');
}

function hasIds(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && !/^[0-]+$/.test(id);
}

/** `host:port`, with square brackets around an IPv6 address. Throws MR_OPTION. */
function brokerAt(address: string): Broker {
  const [, v6, name, port] = /^(?:\[([0-9a-fA-F:.%]+)\]|([^\s:/[\]]+)):(\d{1,5})$/.exec(address) ?? [];
  const host = v6 ?? name;
  if (host === undefined || !(Number(port) >= 1 && Number(port) <= 65_535))
    throw new MillraceError('MR_OPTION', ['run', 'brokers', address, "host:port, such as 'localhost:9092'"]);
  return { host, port: Number(port) };
}
