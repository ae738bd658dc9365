/**
 * `fileLines`: the lines of a text file as a log spout. The path is its one split and the byte offset of a line its
 * position. A file keeps no positions for its readers: without a checkpoint every start begins at the beginning.
 */
import { MillraceError, messageOf } from '../../errors.ts';
import { filesResource } from '../../runtime/resources.ts';
import type { Files, OpenFile } from '../../runtime/runtime.ts';
import { type } from '../../topology/schema.ts';
import type { LogReader, LogTask, Position, Spout } from '../../topology/spout.ts';
import { logSpout } from '../../topology/spout.ts';
import type { Stream } from '../../topology/stream.ts';
import { idleReader } from '../idle-reader.ts';
import { LineSplitter, textOf } from '../line-splitter.ts';

export interface FileLinesOptions {
  /** Waits at the end of the file for what is added to it, and never ends. Default false. */
  readonly follow?: boolean;
  /** Longest line in bytes, 1 MiB by default. A longer one goes to the ledger. */
  readonly maxLineBytes?: number;
}

const MOST_LINE_BYTES = 1 << 20;
/** Bytes read at once, and read ahead of the topology at most. */
const CHUNK = 256 * 1024;
const AHEAD = 2 * CHUNK;

/** Emits each line, without its LF or CR LF, with the time at which it is read. */
export function fileLines(path: string, options: FileLinesOptions = {}): Spout<Stream<string>> {
  const { follow = false, maxLineBytes = MOST_LINE_BYTES } = options;
  if (!(Number.isInteger(maxLineBytes) && maxLineBytes >= 1))
    throw new MillraceError('MR_OPTION', [path, 'maxLineBytes', maxLineBytes, 'a positive number of bytes']);
  return logSpout({
    emits: type<string>(),
    splits: () => [path],
    async open(task) {
      if (task.splits.length === 0) return idleReader;
      const files = task.use(filesResource);
      try {
        return new FileReader(task, path, await files.open(path, 'read'), maxLineBytes, follow ? files : undefined);
      } catch (thrown) {
        throw new MillraceError('MR_FILE_READ', [task.component, path, messageOf(thrown)], thrown);
      }
    },
  });
}

class FileReader implements LogReader {
  readonly #task: LogTask<string>;
  readonly #path: string;
  readonly #file: OpenFile;
  readonly #limit: number;
  readonly #lines: LineSplitter;
  /** Given where the file is followed. */
  readonly #files: Files | undefined;
  readonly #unwatch: (() => void) | undefined;
  /** Of the next line, and of the next byte to read. */
  #position = 0;
  #readAt = 0;
  #reading = false;
  /** The file may have more than was read of it. Told again while a read is under way, it is looked at again. */
  #more = true;
  #failure: unknown;
  #atEnd = false;
  #paused = false;
  #closed = false;

  constructor(task: LogTask<string>, path: string, file: OpenFile, limit: number, followed: Files | undefined) {
    this.#task = task;
    this.#path = path;
    this.#file = file;
    this.#limit = limit;
    this.#lines = new LineSplitter(limit);
    this.#files = followed;
    this.#unwatch = followed?.watch(path, () => {
      this.#more = true;
      void this.#readAhead();
    });
  }

  seek(_split: string, position: Position = 0): void {
    this.#position = position;
    this.#readAt = position;
    void this.#readAhead();
  }
  pause(): void {
    this.#paused = true;
  }
  resume(): void {
    this.#paused = false;
    this.#task.wake();
  }

  next(max: number): boolean {
    if (this.#failure !== undefined) this.#fail();
    if (this.#paused || this.#atEnd) return false;
    let given = 0;
    while (given < max && this.#lines.take()) {
      this.#give();
      given++;
    }
    if (this.#lines.unread < AHEAD / 2) void this.#readAhead();
    if (given < max && this.#lines.ended) {
      this.#atEnd = true;
      this.#task.endSplit(this.#path);
    }
    return given === max;
  }

  async commit(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true;
    this.#unwatch?.();
    await this.#file.close();
  }

  #give(): void {
    const { line, consumed, tooLong } = this.#lines;
    const position = this.#position;
    const next = position + consumed;
    this.#position = next;
    const text = tooLong ? undefined : textOf(line);
    if (text !== undefined) {
      // A mark that some editors put in front of a file's first line.
      const unmarked = position === 0 && text.startsWith('\ufeff') ? text.slice(1) : text;
      return this.#task.emit(this.#path, position, next, unmarked, this.#task.now());
    }
    const detail = tooLong
      ? `a line of ${consumed} bytes, longer than the ${this.#limit} allowed: this is its start`
      : 'the line is not UTF-8';
    this.#task.reject(this.#path, position, next, { cause: 'malformed', detail, payload: new Uint8Array(line) });
  }

  /** Told once; the engine asks again after a while, and the file is read again. */
  #fail(): never {
    const failure = this.#failure;
    this.#failure = undefined;
    void this.#readAhead();
    if (failure instanceof MillraceError) throw failure;
    throw new MillraceError('MR_FILE_READ', [this.#task.component, this.#path, messageOf(failure)], failure);
  }

  /** Reads on until enough waits to be given, or the file has no more. */
  async #readAhead(): Promise<void> {
    if (this.#reading || this.#failure !== undefined) return;
    this.#reading = true;
    try {
      while (this.#more && !this.#closed && this.#lines.unread < AHEAD) await this.#read();
    } catch (thrown) {
      // Reading a file that has just been closed is no failure.
      if (!this.#closed) this.#failure = thrown;
      this.#more = true;
      this.#task.wake();
    }
    this.#reading = false;
  }

  async #read(): Promise<void> {
    this.#more = false;
    const bytes = await this.#file.read(this.#readAt, CHUNK);
    if (bytes.byteLength > 0) {
      this.#more = true;
      this.#readAt += bytes.byteLength;
      this.#lines.push(bytes);
    } else {
      await this.#checkLength();
      if (this.#files !== undefined) return;
      this.#lines.end();
    }
    this.#task.wake();
  }

  /** At its end: a file that is shorter than what was read of it was cut, or is another one of the same name. */
  async #checkLength(): Promise<void> {
    const size = this.#files ? await sizeAt(this.#files, this.#path) : await this.#file.size();
    if (size < this.#readAt)
      throw new MillraceError('MR_FILE_SHRANK', [this.#task.component, this.#path, size, this.#readAt]);
  }
}

async function sizeAt(files: Files, path: string): Promise<number> {
  const file = await files.open(path, 'read');
  try {
    return await file.size();
  } finally {
    await file.close();
  }
}
