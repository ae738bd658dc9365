import { once } from 'node:events';
import * as net from 'node:net';
import type { Api, ReadOf, Shape, WriteOf } from '../protocol/message.ts';
import { ApiVersions } from '../protocol/messages/cluster.ts';
import { Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';
import { Frames } from './frames.ts';

/** The smallest client there is, for tests: one connection, any API in any version, answers by correlation id. */
export class TestClient {
  private readonly socket: net.Socket;
  private readonly frames = new Frames(2 ** 30);
  private readonly waiting = new Map<number, (answer: Buffer | Error) => void>();
  private nextId = 1;
  /** Settles when the connection is over. */
  readonly closed: Promise<void>;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const done of this.waiting.values()) done(new Error('the connection is closed'));
        this.waiting.clear();
        resolve();
      });
    });
    // Told to each request by 'close'.
    socket.on('error', () => {});
    socket.on('data', (chunk) =>
      this.frames.push(chunk, (frame) => {
        const id = frame.readInt32BE(0);
        this.waiting.get(id)?.(Buffer.from(frame.subarray(4)));
        this.waiting.delete(id);
      }),
    );
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<TestClient> {
    const socket = net.connect({ port, host, noDelay: true });
    await once(socket, 'connect');
    return new TestClient(socket);
  }

  async call<Q extends Shape, A extends Shape>(
    api: Api<Q, A>,
    version: number,
    request: WriteOf<Q>,
  ): Promise<ReadOf<A>> {
    const answer = await this.send(api, version, request);
    const reader = new Reader(answer);
    if (version >= api.response.flexible && api.key !== ApiVersions.key) reader.tags();
    const response = api.response.read(reader, version);
    if (reader.left > 0) throw new Error(`${reader.left} bytes follow the response to ${api.name} v${version}`);
    return response;
  }

  /** For requests that get no response. */
  tell<Q extends Shape, A extends Shape>(api: Api<Q, A>, version: number, request: WriteOf<Q>): void {
    this.socket.write(framed(api, version, request, this.nextId++));
  }

  raw(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  async close(): Promise<void> {
    this.socket.destroy();
    await this.closed;
  }

  private send<Q extends Shape, A extends Shape>(
    api: Api<Q, A>,
    version: number,
    request: WriteOf<Q>,
  ): Promise<Buffer> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('the connection is closed'));
      this.waiting.set(id, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      this.socket.write(framed(api, version, request, id));
    });
  }
}

/** A request as it goes over the wire, its length first. */
export function framed<Q extends Shape, A extends Shape>(
  api: Api<Q, A>,
  version: number,
  request: WriteOf<Q>,
  correlationId: number,
): Buffer {
  const writer = new Writer();
  writer.int16(api.key);
  writer.int16(version);
  writer.int32(correlationId);
  writer.int16(4);
  writer.string('test', 4);
  if (version >= api.request.flexible) writer.uvarint(0);
  api.request.write(writer, version, request);
  const body = writer.toBuffer();
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.length);
  return Buffer.concat([length, body]);
}
