/**
 * The control socket of a running topology: answers requests from other processes on this machine. What can be asked
 * is a table of methods handed in; this file knows the protocol only. A request that cannot be read, or a method that
 * fails, is answered with an error, and the connection goes on. A client that does not read its answers is not read
 * from, so what is held per connection stays bounded.
 */
import { MillraceError, messageOf } from '../errors.ts';
import type { Address, Connection, Listener, Sockets } from '../runtime/runtime.ts';
import type { Refusal, RequestId, ToClient } from './control-protocol.ts';
import { encodeMessage, lineReader, MAX_CALLS, MAX_CONNECTIONS, MAX_LINE_BYTES } from './control-protocol.ts';

export interface ControlCall {
  /** Gives an item ahead of the answer. Resolves when the client can take another; rejects when it has gone. */
  item(value: unknown): Promise<void>;
  /** Aborted when the client cancels or goes, or the server closes: stop giving items and answer. */
  readonly signal: AbortSignal;
}
/** Gives the answer, or throws. `params` come from outside: check them. */
export type ControlMethod = (params: unknown, call: ControlCall) => unknown;
export type ControlMethods = Readonly<Record<string, ControlMethod>>;

export interface ControlServer {
  readonly address: Address;
  /** Takes no more requests, lets those under way be answered, and closes. */
  close(): Promise<void>;
}

export async function serveControl(
  sockets: Sockets,
  address: Address,
  methods: ControlMethods,
): Promise<ControlServer> {
  const peers = new Set<Peer>();
  const accept = (connection: Connection): void => {
    if (peers.size >= MAX_CONNECTIONS) {
      const refused = refusal(new MillraceError('MR_CONTROL', [`${MAX_CONNECTIONS} connections are open already`]));
      connection.write(encodeMessage({ id: null, error: refused }));
      connection.close();
      return;
    }
    const peer = serveConnection(connection, methods);
    peers.add(peer);
    connection.onClose(() => {
      peers.delete(peer);
      peer.gone();
    });
  };
  const listener: Listener = await sockets.listen(address, accept);
  return {
    address: listener.address,
    async close() {
      const closed = listener.close();
      await Promise.all([...peers].map((peer) => peer.finish()));
      await closed;
    },
  };
}

interface Peer {
  /** The other side has closed. */
  gone(): void;
  finish(): Promise<void>;
}

function serveConnection(connection: Connection, methods: ControlMethods): Peer {
  const calls = new Map<RequestId, { readonly abort: AbortController; readonly answered: Promise<void> }>();
  const output = outputOf(connection);
  const refuse = (id: RequestId | null, why: string): void => {
    output.send({ id, error: refusal(new MillraceError('MR_CONTROL', [why])) });
  };

  const start = (id: RequestId, run: ControlMethod, params: unknown): void => {
    const abort = new AbortController();
    const item = (value: unknown): Promise<void> => {
      output.send({ id, item: value });
      return output.ready();
    };
    const answer = async (): Promise<void> => {
      try {
        const result = await run(params, { item, signal: abort.signal });
        output.send({ id, result: result ?? null });
      } catch (thrown) {
        output.send({ id, error: refusal(thrown) });
      }
      calls.delete(id);
    };
    calls.set(id, { abort, answered: Promise.resolve().then(answer) });
  };

  const receive = (line: string): void => {
    const request = readRequest(line);
    if (typeof request === 'string') refuse(null, request);
    else if (request.method === undefined) calls.get(request.id)?.abort.abort();
    else {
      const { id, method, params } = request;
      const run = Object.hasOwn(methods, method) ? methods[method] : undefined;
      if (!run)
        refuse(id, `there is no method ${JSON.stringify(method)}; there are: ${Object.keys(methods).join(', ')}`);
      else if (calls.has(id)) refuse(id, `a request with the id ${JSON.stringify(id)} is under way already`);
      else if (calls.size >= MAX_CALLS) refuse(id, `${MAX_CALLS} requests are under way already: wait for an answer`);
      else start(id, run, params);
    }
  };
  connection.onData(
    lineReader(MAX_LINE_BYTES, receive, () => refuse(null, `a request is longer than ${MAX_LINE_BYTES} bytes`)),
  );

  const abortAll = (): void => {
    for (const { abort } of calls.values()) abort.abort();
  };
  return {
    gone() {
      output.gone();
      abortAll();
    },
    async finish() {
      abortAll();
      output.giveUpItems();
      await Promise.all([...calls.values()].map(({ answered }) => answered));
      connection.close();
    },
  };
}

/** Writing to a connection: while the other side is slow, nothing more is read from it, and `ready` waits. */
function outputOf(connection: Connection) {
  let state: 'open' | 'closing' | 'gone' = 'open';
  let slow = false;
  const waiting: { readonly resolve: () => void; readonly reject: (why: Error) => void }[] = [];
  const giveUp = (next: 'closing' | 'gone'): void => {
    state = next;
    for (const { reject } of waiting.splice(0)) reject(closed());
  };
  connection.onDrain(() => {
    slow = false;
    for (const { resolve } of waiting.splice(0)) resolve();
    connection.resume();
  });
  const closed = () => new Error('the connection is closed');
  return {
    send(message: ToClient): void {
      if (state === 'gone' || connection.write(encodeMessage(message)) || slow) return;
      slow = true;
      connection.pause();
    },
    ready(): Promise<void> {
      if (state !== 'open') return Promise.reject(closed());
      return slow ? new Promise((resolve, reject) => waiting.push({ resolve, reject })) : Promise.resolve();
    },
    /** A method that waits to give another item must not keep the server from closing. */
    giveUpItems: () => giveUp('closing'),
    gone: () => giveUp('gone'),
  };
}

/** The request, or what is wrong with it. A request without a method is a cancellation. */
function readRequest(
  line: string,
): { readonly id: RequestId; readonly method: string | undefined; readonly params: unknown } | string {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch (thrown) {
    return `a request must be one line of JSON: ${messageOf(thrown)}`;
  }
  if (typeof message !== 'object' || message === null) return 'a request must be a JSON object';
  const { id, method, params, cancel } = message as Record<string, unknown>;
  if (typeof id !== 'number' && typeof id !== 'string') return 'a request must have an id: a number or a text';
  if (cancel === true) return { id, method: undefined, params: undefined };
  if (typeof method !== 'string') return 'a request must name its method: {"id":1,"method":"status"}';
  return { id, method, params };
}

function refusal(thrown: unknown): Refusal {
  const code = (thrown as { readonly code?: unknown } | undefined)?.code;
  return { code: typeof code === 'string' ? code : 'MR_CONTROL', message: messageOf(thrown) };
}
