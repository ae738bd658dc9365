/**
 * The seam to the world (law 11): everything of ours that reads a clock, waits, draws a random number, or touches a
 * disk or a socket does it through the `Runtime` that it was handed. The real one is `realRuntime()`; the simulated
 * one lives in virtual time under a seed, so that a failing test replays.
 */

export interface Clock {
  /** Wall-clock time in milliseconds since 1970. May jump. */
  now(): number;
  /** Milliseconds since some fixed point, with fractions. Never goes back. */
  monotonic(): number;
}

export interface Timers {
  /**
   * Runs `callback` once, at least `ms` milliseconds from now. The function given back cancels it. A waiting timer keeps
   * the process alive: an engine that waits for its next tick is at work.
   */
  after(ms: number, callback: () => void): () => void;
  /** Runs `callback` after the event loop has looked at its timers, sockets and files once. */
  soon(callback: () => void): void;
}

/** One open file of a `Files`. Offsets and lengths are bytes. */
export interface OpenFile {
  /** Up to `length` bytes from `offset`; fewer at the end of the file, none past it. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Adds all bytes at the end, after those of earlier calls. They must not change until it resolves. */
  append(bytes: Uint8Array): Promise<void>;
  /** Resolves when what was appended survives a power loss. Once it has failed, so does all later writing (law 12). */
  sync(): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface Files {
  /** `read` refuses a missing file; `append` creates it, and its folders. */
  open(path: string, mode: 'read' | 'append'): Promise<OpenFile>;
  /**
   * Calls back when the file may have changed, has appeared, or was replaced by another of its name. Its folder must
   * exist. The function given back stops it.
   */
  watch(path: string, changed: () => void): () => void;
}

/**
 * A two-way stream of bytes. `onClose` fires once, after all data, with an error if the other side broke it. What arrives
 * before somebody asks for it with `onData` is kept.
 */
export interface Connection {
  readonly remote: string;
  onData(receive: (bytes: Uint8Array) => void): void;
  onClose(closed: (error?: Error) => void): void;
  /**
   * Returns false when the other side is slow: wait for `onDrain` before writing more. On a closed connection it does
   * nothing and returns false; `onClose` has told, or will. The bytes must not change afterwards.
   */
  write(bytes: Uint8Array): boolean;
  onDrain(drained: () => void): void;
  /** Stops and restarts `onData`, so that a slow reader holds the sender back. */
  pause(): void;
  resume(): void;
  /** Closes both ways, once what was written is on its way. */
  close(): void;
}

/** Where to listen or connect: a TCP port (0 = any free one) on a host, or the path of a local socket. */
export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface Listener {
  /** Where it listens, with the port that it was given. */
  readonly address: Address;
  /** Takes no more connections and frees the address. Connections that it took live on. */
  close(): Promise<void>;
}

export interface Sockets {
  /**
   * Any host is taken: who may connect is the caller's concern. A local socket is the owner's alone, and replaces one that
   * a dead process left behind.
   */
  listen(address: Address, accept: (connection: Connection) => void): Promise<Listener>;
  connect(address: Address): Promise<Connection>;
}

export interface Runtime {
  readonly clock: Clock;
  readonly timers: Timers;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly files: Files;
  readonly sockets: Sockets;
}
