/** The other end of a control socket: asks a running topology, from another process. */
import { MillraceError } from '../errors.ts';
import type { Address, Sockets } from '../runtime/runtime.ts';
import type { RequestId, ToClient } from './control-protocol.ts';
import { encodeMessage, lineReader, MAX_LINE_BYTES } from './control-protocol.ts';

/** An error that the running topology answered with; `code` is from its table. */
class ControlError extends Error {
  override readonly name = 'ControlError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export interface CallOptions {
  /** Called for each item that comes ahead of the answer, in order. */
  readonly onItem?: (item: unknown) => void;
  /** Ends a method that gives items; the call then resolves with its answer. */
  readonly signal?: AbortSignal;
}

export interface ControlClient {
  call(method: string, params?: unknown, options?: CallOptions): Promise<unknown>;
  close(): void;
}

interface Call {
  readonly onItem: ((item: unknown) => void) | undefined;
  readonly resolve: (result: unknown) => void;
  readonly reject: (why: Error) => void;
}

/** Rejects with the socket's own error (ENOENT, ECONNREFUSED) when nobody listens there. */
export async function connectControl(sockets: Sockets, address: Address): Promise<ControlClient> {
  const connection = await sockets.connect(address);
  const calls = new Map<RequestId, Call>();
  let lost: Error | undefined;
  let lastId = 0;

  const receive = (line: string): void => {
    const message = JSON.parse(line) as ToClient;
    const call = message.id === null ? undefined : calls.get(message.id);
    if ('item' in message) {
      call?.onItem?.(message.item);
    } else if ('error' in message) {
      const error = new ControlError(message.error.code, message.error.message);
      if (call) call.reject(error);
      // An error without an id is about the connection or an unreadable request: every call may be meant.
      else for (const { reject } of calls.values()) reject(error);
    } else {
      call?.resolve(message.result);
    }
    if (message.id !== null && !('item' in message)) calls.delete(message.id);
  };
  connection.onData(
    lineReader(MAX_LINE_BYTES, receive, () => {
      lost = new MillraceError('MR_CONTROL', [`an answer is longer than ${MAX_LINE_BYTES} bytes`]);
      connection.close();
    }),
  );
  connection.onClose((error) => {
    lost ??= new MillraceError('MR_CONTROL_LOST', [], error);
    for (const { reject } of calls.values()) reject(lost);
    calls.clear();
  });

  return {
    call(method, params, { onItem, signal } = {}) {
      if (lost) return Promise.reject(lost);
      const id = ++lastId;
      const answered = new Promise((resolve, reject) => calls.set(id, { onItem, resolve, reject }));
      connection.write(encodeMessage({ id, method, params }));
      const cancel = (): void => {
        if (calls.has(id)) connection.write(encodeMessage({ id, cancel: true }));
      };
      if (signal?.aborted) cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      return answered.finally(() => signal?.removeEventListener('abort', cancel));
    },
    close: () => connection.close(),
  };
}
