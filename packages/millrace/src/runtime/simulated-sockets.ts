/**
 * Sockets of one machine in memory, for tests. Bytes arrive through `soon`, chunk by chunk in the order written; a
 * closing follows the bytes before it. A connection holds about 64 KiB that the other side has not taken before `write`
 * says to wait.
 */
import type { Address, Connection, Listener, Sockets, Timers } from './runtime.ts';

const HIGH_WATER = 64 * 1024;

export function simulatedSockets({ soon }: Timers): Sockets {
  const listeners = new Map<string, (connection: Connection) => void>();
  let freePort = 49_152;
  return {
    async listen(asked, accept): Promise<Listener> {
      const address = 'port' in asked && asked.port === 0 ? { ...asked, port: freePort++ } : asked;
      const place = placeOf(address);
      if (listeners.has(place)) throw failure('EADDRINUSE', `listen EADDRINUSE: address already in use ${place}`);
      listeners.set(place, accept);
      return { address, close: async () => void listeners.delete(place) };
    },
    connect: (address) =>
      new Promise((resolve, reject) => {
        const place = placeOf(address);
        soon(() => {
          const accept = listeners.get(place);
          if (!accept) return reject(failure('ECONNREFUSED', `connect ECONNREFUSED ${place}`));
          const here = new End(`client of ${place}`, soon);
          const there = new End(place, soon);
          here.other = there;
          there.other = here;
          accept(connectionOf(there, here.name));
          resolve(connectionOf(here, place));
        });
      }),
  };
}

/** There is one machine, so a port is the same on all of its hosts. */
function placeOf(address: Address): string {
  return 'path' in address ? address.path : `port ${address.port}`;
}

function failure(code: string, text: string): Error {
  return Object.assign(new Error(text), { code });
}

/** One end of a connection: what has arrived and is not taken yet, and who takes it. */
class End {
  readonly name: string;
  readonly #soon: Timers['soon'];
  other!: End;
  readonly receivers: ((bytes: Uint8Array) => void)[] = [];
  readonly drained: (() => void)[] = [];
  readonly #closed: (() => void)[] = [];
  #inbox: Uint8Array[] = [];
  #waiting = 0;
  #paused = false;
  /** No more bytes come: what is in the inbox is the rest. */
  #ended = false;
  #isClosed = false;
  #owesDrain = false;

  constructor(name: string, soon: Timers['soon']) {
    this.name = name;
    this.#soon = soon;
  }

  write(bytes: Uint8Array): boolean {
    if (this.#isClosed || this.other.#isClosed) return false;
    this.other.#inbox.push(Uint8Array.from(bytes));
    this.other.#waiting += bytes.byteLength;
    this.#soon(() => this.other.#deliver());
    this.#owesDrain ||= this.other.#waiting >= HIGH_WATER;
    return !this.#owesDrain;
  }

  flow(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#soon(() => this.#deliver());
  }

  close(): void {
    if (this.#isClosed) return;
    this.#inbox = [];
    this.#finish();
    this.other.#ended = true;
    this.#soon(() => this.other.#deliver());
  }

  onClose(closed: () => void): void {
    if (this.#isClosed) this.#soon(closed);
    else this.#closed.push(closed);
  }

  /** One chunk at a time, so that a receiver can pause after each. */
  #deliver(): void {
    if (this.#isClosed || this.#paused || this.receivers.length === 0) return;
    const bytes = this.#inbox.shift();
    if (!bytes) {
      if (this.#ended) this.#finish();
      return;
    }
    this.#waiting -= bytes.byteLength;
    if (this.#waiting === 0 && this.other.#owesDrain) {
      this.other.#owesDrain = false;
      for (const drained of this.other.drained) this.#soon(drained);
    }
    if (this.#inbox.length > 0 || this.#ended) this.#soon(() => this.#deliver());
    for (const receive of this.receivers) receive(bytes);
  }

  #finish(): void {
    this.#isClosed = true;
    for (const closed of this.#closed) this.#soon(closed);
  }
}

function connectionOf(end: End, remote: string): Connection {
  return {
    remote,
    onData(receive) {
      end.receivers.push(receive);
      end.flow(false);
    },
    onClose: (closed) => end.onClose(() => closed()),
    write: (bytes) => end.write(bytes),
    onDrain: (drained) => void end.drained.push(drained),
    pause: () => end.flow(true),
    resume: () => end.flow(false),
    close: () => end.close(),
  };
}
