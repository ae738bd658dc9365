import { once } from 'node:events';
import * as net from 'node:net';
import type { Api, ReadOf, Shape, WriteOf } from '../protocol/message.ts';
import { ApiVersions } from '../protocol/messages/cluster.ts';
import { Reader } from '../protocol/reader.ts';
import { Writer } from '../protocol/writer.ts';
import type { Wire } from './connection.ts';
import { Frames } from './frames.ts';
import type { ProtocolServer } from './protocol-server.ts';

/** The smallest client there is, for tests: one connection, any API in any version, answers by correlation id. */
export class TestClient {
  private readonly frames = new Frames(2 ** 30);
  private readonly waiting = new Map<number, (answer: Buffer | Error) => void>();
  private readonly over = Promise.withResolvers<void>();
  private readonly write: (bytes: Uint8Array) => void;
  private readonly end: () => void;
  private nextId = 1;
  private isOver = false;

  private constructor(write: (bytes: Uint8Array) => void, end: () => void) {
    this.write = write;
    this.end = end;
  }

  static async connect(port: number, host = '127.0.0.1'): Promise<TestClient> {
    const socket = net.connect({ port, host, noDelay: true });
    await once(socket, 'connect');
    const client = new TestClient(
      (bytes) => socket.write(bytes),
      () => socket.destroy(),
    );
    socket.on('data', (chunk) => client.receive(chunk));
    // Told to each request by 'close'.
    socket.on('error', () => {});
    socket.on('close', () => client.drop());
    return client;
  }

  /** Without a network, in turns of the event loop, so that nobody starves. What the server writes once `isDead` does not arrive. */
  static within(server: ProtocolServer, isDead: () => boolean): TestClient {
    const client: TestClient = new TestClient(
      (bytes) => setImmediate(() => connection.receive(Buffer.from(bytes))),
      () => connection.down(),
    );
    const wire: Wire = {
      write(chunks, left) {
        const bytes = Buffer.concat(chunks);
        left();
        if (!isDead()) setImmediate(() => client.receive(bytes));
        return true;
      },
      pause: () => {},
      resume: () => {},
      end: () => client.drop(),
      destroy: () => client.drop(),
    };
    const connection = server.connect(wire, { host: 'memory', endpoint: { host: 'memory', port: 1 } });
    return client;
  }

  /** Settles when the connection is over. */
  get closed(): Promise<void> {
    return this.over.promise;
  }

  /** It is over, whoever ended it. */
  drop(): void {
    this.isOver = true;
    for (const done of this.waiting.values()) done(new Error('the connection is closed'));
    this.waiting.clear();
    this.over.resolve();
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
    this.write(framed(api, version, request, this.nextId++));
  }

  raw(bytes: Uint8Array): void {
    this.write(bytes);
  }

  async close(): Promise<void> {
    this.end();
    this.drop();
  }

  private receive(chunk: Buffer): void {
    this.frames.push(chunk, (frame) => {
      const id = frame.readInt32BE(0);
      this.waiting.get(id)?.(Buffer.from(frame.subarray(4)));
      this.waiting.delete(id);
    });
  }

  private send<Q extends Shape, A extends Shape>(
    api: Api<Q, A>,
    version: number,
    request: WriteOf<Q>,
  ): Promise<Buffer> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.isOver) return reject(new Error('the connection is closed'));
      this.waiting.set(id, (answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      this.write(framed(api, version, request, id));
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
