/** What commands print. Results go to standard output, for people or as JSON; the rest to standard error. */
import { EXIT } from './report.ts';

/** `command | head` takes what it needs and closes the pipe: that is no error, and nothing is left to do. */
export function leaveWhenReaderIsGone(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(EXIT.ok);
    });
  }
}

export function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${line}\n`);
}

/** One document. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** A remark beside the results. */
export function remark(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Bytes as text where they are UTF-8, else undefined. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** For JSON: text as it is, other bytes as `{ base64 }`, no bytes as null. */
export function jsonOfBytes(bytes: Uint8Array | null): string | { readonly base64: string } | null {
  if (bytes === null) return null;
  return textOf(bytes) ?? { base64: Buffer.from(bytes).toString('base64') };
}
