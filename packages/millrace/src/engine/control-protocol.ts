/**
 * What is said on the control socket: one JSON message per line, both ways. A request names a method; its answer
 * carries the request's id, so many may be under way on one connection. A method may give items before its answer.
 *
 *   → {"id":1,"method":"consume","params":{"topic":"alerts"}}
 *   ← {"id":1,"item":{…}}                       none or more
 *   ← {"id":1,"result":{…}}                     or {"id":1,"error":{"code":"MR_…","message":"…"}}
 *   → {"id":1,"cancel":true}                    ends a method that gives items; it is still answered
 */

export type RequestId = number | string;

export type ToServer =
  | { readonly id: RequestId; readonly method: string; readonly params?: unknown }
  | { readonly id: RequestId; readonly cancel: true };

export interface Refusal {
  readonly code: string;
  readonly message: string;
}
export type ToClient =
  | { readonly id: RequestId; readonly item: unknown }
  | { readonly id: RequestId; readonly result: unknown }
  /** The id is null where the request was too broken to have one. */
  | { readonly id: RequestId | null; readonly error: Refusal };

/** The longest line either side takes. A longer one is dropped as it arrives, and answered with an error. */
export const MAX_LINE_BYTES = 32 * 1024 * 1024;
/** Requests under way on one connection, and connections. */
export const MAX_CALLS = 64;
export const MAX_CONNECTIONS = 64;

const NEWLINE = 10;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function encodeMessage(message: ToServer | ToClient): Uint8Array {
  return encoder.encode(`${JSON.stringify(message)}\n`);
}

/**
 * Cuts a stream of bytes into lines. `line` gets each without its newline, `tooLong` is called once for a line above
 * `limit`, of which no more than `limit` bytes are ever held.
 */
export function lineReader(limit: number, line: (text: string) => void, tooLong: () => void) {
  let parts: Uint8Array[] = [];
  let held = 0;
  let skipping = false;
  const keep = (part: Uint8Array): void => {
    if (skipping) return;
    held += part.length;
    if (held > limit) {
      parts = [];
      skipping = true;
      tooLong();
    } else if (part.length > 0) {
      parts.push(part);
    }
  };
  const end = (): void => {
    const text = skipping ? '' : decoder.decode(joined(parts, held));
    parts = [];
    held = 0;
    skipping = false;
    if (text.trim() !== '') line(text);
  };
  return (bytes: Uint8Array): void => {
    let from = 0;
    for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, from)) {
      keep(bytes.subarray(from, at));
      end();
      from = at + 1;
    }
    // What stays for the next chunk is copied: the connection may reuse its buffer.
    if (from < bytes.length) keep(bytes.slice(from));
  };
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
