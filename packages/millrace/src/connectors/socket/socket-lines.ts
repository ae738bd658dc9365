/**
 * `socketLines`: a TCP server whose clients send lines, as `nc` does. A queue spout without message ids: nobody could
 * send a line again, so what a crash finds inside the topology is lost (at-most-once, whatever the topology asks for).
 * A topology that is slower than its clients holds them back: their connections are not read.
 */
import { MillraceError } from '../../errors.ts';
import { socketsResource } from '../../runtime/resources.ts';
import type { Connection, Listener } from '../../runtime/runtime.ts';
import type { Schema } from '../../topology/schema.ts';
import { type } from '../../topology/schema.ts';
import type { QueueReader, QueueTask, Spout } from '../../topology/spout.ts';
import { spout } from '../../topology/spout.ts';
import type { Stream } from '../../topology/stream.ts';
import { LineSplitter, textOf } from '../line-splitter.ts';
import { singleTask } from '../single-task.ts';

export interface SocketLinesOptions {
  /** Where to listen; 127.0.0.1 by default, so that only this machine can connect. */
  readonly host?: string;
  /** 0 for any free one, which is told in the log. */
  readonly port: number;
  /** Longest line in bytes, 64 KiB by default. A longer one goes to the ledger, its beginning only. */
  readonly maxLineBytes?: number;
}

/** Bytes that wait from one client at which it is no longer read. */
const HIGH = 64 * 1024;
const MOST_CLIENTS = 1024;
/** Lines given at once, so many of each client before the next has its turn. */
const BATCH = 256;
const TURN = 32;

/** Emits each line, without its LF or CR LF, with the time at which it arrived in the topology. */
export function socketLines(options: SocketLinesOptions): Spout<Stream<string>> {
  const { host = '127.0.0.1', port, maxLineBytes = HIGH } = options;
  const refuse = (option: string, got: unknown, want: string): never => {
    throw new MillraceError('MR_OPTION', ['socketLines', option, got, want]);
  };
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535)) refuse('port', port, 'a port from 0 to 65535');
  if (!(Number.isInteger(maxLineBytes) && maxLineBytes >= 1))
    refuse('maxLineBytes', maxLineBytes, 'a positive number of bytes');
  return spout({
    emits: type<string>(),
    async open(task) {
      singleTask(task, 'one task listens on a port; spread its lines over several tasks of the next bolt');
      const reader = new SocketReader(task, maxLineBytes);
      await reader.listen(host, port);
      return reader;
    },
  });
}

interface Client {
  readonly connection: Connection;
  readonly lines: LineSplitter;
  /** Not read, because enough waits. */
  held: boolean;
  closed: boolean;
}

class SocketReader implements QueueReader {
  readonly #task: QueueTask<Schema<string>>;
  readonly #limit: number;
  #listener: Listener | undefined;
  /** In the order in which they have their turns. */
  #clients: Client[] = [];

  constructor(task: QueueTask<Schema<string>>, limit: number) {
    this.#task = task;
    this.#limit = limit;
  }

  async listen(host: string, port: number): Promise<void> {
    const sockets = this.#task.use(socketsResource);
    this.#listener = await sockets.listen({ host, port }, (connection) => this.#accept(connection));
    const { address } = this.#listener;
    this.#task.log(`listening on ${'port' in address ? `${address.host}:${address.port}` : address.path}`);
  }

  nextTuple(): boolean {
    let left = BATCH;
    for (let empty = 0; left > 0 && empty < this.#clients.length; ) {
      const client = this.#clients.shift()!;
      const given = this.#give(client, Math.min(left, TURN));
      left -= given;
      if (given === 0 && client.closed) continue;
      this.#clients.push(client);
      empty = given === 0 ? empty + 1 : 0;
    }
    return left === 0;
  }

  async close(): Promise<void> {
    await this.#listener?.close();
    for (const { connection } of this.#clients) connection.close();
    this.#clients = [];
  }

  #accept(connection: Connection): void {
    if (this.#clients.length === MOST_CLIENTS) {
      this.#task.log(
        `${connection.remote} is turned away: ${MOST_CLIENTS} clients are connected, and that is the most`,
      );
      return connection.close();
    }
    const lines = new LineSplitter(this.#limit);
    const client: Client = { connection, lines, held: false, closed: false };
    this.#clients.push(client);
    connection.onData((bytes) => {
      lines.push(bytes);
      if (lines.unread >= HIGH && !client.held) {
        client.held = true;
        connection.pause();
      }
      this.#task.wake();
    });
    connection.onClose((error) => {
      client.closed = true;
      // A client that closed has sent its last line, with a line end or without; one that broke off has not.
      if (error) this.#task.log(`${connection.remote} broke off: ${error.message}`);
      else lines.end();
      this.#task.wake();
    });
  }

  /** Looks at up to `most` lines of one client; how many it saw. */
  #give(client: Client, most: number): number {
    const { lines, connection } = client;
    let seen = 0;
    for (; seen < most && lines.take(); seen++) {
      const text = lines.tooLong ? undefined : textOf(lines.line);
      if (text === undefined) this.#reject(client, lines);
      else this.#task.emit(text);
    }
    if (client.held && lines.unread < HIGH / 2) {
      client.held = false;
      connection.resume();
    }
    return seen;
  }

  #reject({ connection }: Client, { tooLong, line }: LineSplitter): void {
    const why = tooLong ? `longer than ${this.#limit} bytes` : 'not UTF-8';
    const detail = `a line from ${connection.remote} is ${why}`;
    this.#task.reject({ cause: 'malformed', detail, payload: new Uint8Array(line) });
  }
}
