import { codeOf, errorNumber } from '../errors.ts';
import type { GroupCoordinator } from '../groups/group-coordinator.ts';
import type { Clock } from '../log/clock.ts';
import type { DirectoryLog } from '../log/log.ts';
import type { ReadBuffers } from '../log/read-buffers.ts';
import type { Api, ReadOf, Shape, WriteOf } from '../protocol/message.ts';
import type { Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';
import type { TransactionCoordinator } from '../transactions/transaction-coordinator.ts';
import type { FetchSessions } from './fetch-sessions.ts';
import type { BrokerSettings } from './settings.ts';

/**
 * What a file in handlers/ is: one API, and what the broker does when it is asked. A handler that throws is answered
 * for by its `refuse`, which puts the error's number wherever that API has room for it, so every request that could be
 * read gets its response.
 */
export interface Parts {
  readonly log: DirectoryLog;
  readonly groups: GroupCoordinator;
  readonly transactions: TransactionCoordinator;
  readonly fetchSessions: FetchSessions;
  readonly readBuffers: ReadBuffers;
  readonly clock: Clock;
  readonly settings: BrokerSettings;
  readonly nodeId: number;
  readonly clusterId: string;
  /** Everything that is served, for ApiVersions. */
  readonly apis: readonly Api[];
  /** Aborted when the broker stops: whoever waits for something is to be answered at once. */
  readonly stopping: AbortSignal;
  /** A remark for whoever runs the broker. */
  readonly say: (remark: string) => void;
}

/** Who asks. */
export interface Client {
  /** What it calls itself; '' when it does not. */
  readonly id: string;
  /** Its address. */
  readonly host: string;
  /** Where this client is to connect to when it looks for this broker. */
  readonly endpoint: { readonly host: string; readonly port: number };
  /** Aborted when the connection is closed: nobody waits for an answer any more. */
  readonly gone: AbortSignal;
  /** Ends the connection, where an API has no other way to say that something went wrong. */
  readonly drop: (reason: string) => void;
  /** The connection: equal for all its requests and for no other's. */
  readonly connection: object;
}

export interface Call {
  readonly version: number;
  /** Has `run` called when the answer's bytes have left, or never will; nothing of them is needed after that. */
  readonly afterWrite: (run: () => void) => void;
  readonly client: Client;
  readonly broker: Parts;
}

/** The response's bytes after its header; nothing when the request wants no response (Produce with acks=0). */
export type Answer = Uint8Array[] | undefined;

export interface Handler {
  readonly api: Api;
  serve(body: Reader, call: Call): Promise<Answer> | Answer;
}

export function handler<Q extends Shape, A extends Shape>(
  api: Api<Q, A>,
  handle: (request: ReadOf<Q>, call: Call) => Promise<WriteOf<A> | undefined> | WriteOf<A> | undefined,
  refuse: (request: ReadOf<Q>, errorCode: number, message: string) => WriteOf<A>,
): Handler {
  const answer = (version: number, response: WriteOf<A> | undefined): Answer => {
    if (response === undefined) return undefined;
    const writer = new Writer();
    api.response.write(writer, version, response);
    return writer.finish();
  };
  return {
    api: api as unknown as Api,
    serve(body, call) {
      const request = api.request.read(body, call.version);
      const failed = (error: unknown): Answer => {
        const code = codeOf(error);
        if (code === 'UNKNOWN_SERVER_ERROR') call.broker.say(`${api.name} failed: ${stackOf(error)}`);
        return answer(call.version, refuse(request, errorNumber(code), messageOf(error)));
      };
      try {
        const response = handle(request, call);
        if (!(response instanceof Promise)) return answer(call.version, response);
        return response.then((settled) => answer(call.version, settled)).catch(failed);
      } catch (error) {
        return failed(error);
      }
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
