import { lookup } from 'node:dns/promises';
import * as net from 'node:net';
import { LogError } from '../errors.ts';
import type { Connection, Wire } from './connection.ts';
import type { Client } from './handler.ts';

/**
 * TCP for the protocol. It listens on this machine only, unless it is told that others may come: there is no
 * authentication yet, so whoever reaches the port reads, writes and deletes everything.
 */
export interface ListenerOptions {
  /** A name or an address. */
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly allowRemote: boolean;
  /** Where clients are told to connect; the address that each of them has reached, when absent. */
  readonly advertised: { readonly host: string; readonly port?: number | undefined } | undefined;
  readonly maxConnections: number;
  readonly connect: (wire: Wire, who: Pick<Client, 'host' | 'endpoint'>) => Connection;
  readonly say: (remark: string) => void;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections; those that are open stay. */
  close(): Promise<void>;
}

export async function listen(options: ListenerOptions): Promise<Listener> {
  const { host, port, allowRemote } = options;
  const address = await addressOf(host);
  if (!(allowRemote || isLoopback(address))) {
    throw new LogError(
      'INVALID_CONFIG',
      `${host} can be reached from other machines, and whoever reaches it can read, write and delete every topic: listen on 127.0.0.1, or allow it explicitly (allowRemote: true, or --allow-remote on the command line)`,
    );
  }
  let open = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    if (open >= options.maxConnections) {
      options.say(`refused ${socket.remoteAddress}: there are ${open} connections, as many as max.connections allows`);
      socket.destroy();
      return;
    }
    open++;
    socket.once('close', () => open--);
    serve(socket, options);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(cannotListen(host, port, error)));
    server.listen({ host: address, port, backlog: 1024 }, resolve);
  });
  server.on('error', (error) => options.say(`accepting a connection failed: ${error.message}`));
  const bound = server.address() as net.AddressInfo;
  return {
    host: address,
    port: bound.port,
    close: () =>
      new Promise((resolve) => {
        server.close();
        resolve();
      }),
  };
}

function serve(socket: net.Socket, { advertised, connect }: ListenerOptions): void {
  const { localAddress, localPort, remoteAddress } = socket;
  // Gone before anybody looked.
  if (localAddress === undefined || localPort === undefined || remoteAddress === undefined) {
    socket.destroy();
    return;
  }
  const wire: Wire = {
    write(chunks, left) {
      socket.cork();
      const last = chunks.length - 1;
      for (let n = 0; n < last; n++) socket.write(chunks[n]!);
      socket.write(chunks[last]!, left);
      socket.uncork();
      return !socket.writableNeedDrain;
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    end: () => void socket.end(),
    destroy: () => void socket.destroy(),
  };
  const endpoint = {
    host: advertised?.host ?? plainAddress(localAddress),
    port: advertised?.port ?? localPort,
  };
  const connection = connect(wire, { host: plainAddress(remoteAddress), endpoint });
  socket.on('data', (chunk) => connection.receive(chunk));
  socket.on('drain', () => connection.drained());
  // What went wrong with a socket is its peer's affair; that it is over is all there is to know.
  socket.on('error', () => socket.destroy());
  socket.on('close', () => connection.down());
}

async function addressOf(host: string): Promise<string> {
  if (net.isIP(host) !== 0) return host;
  try {
    return (await lookup(host)).address;
  } catch (error) {
    throw new LogError('INVALID_CONFIG', `cannot listen on '${host}': no address is known for that name`, {
      cause: error,
    });
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address);
}

/** An IPv4 address as such, also where it came in over an IPv6 socket. */
function plainAddress(address: string): string {
  return address.startsWith('::ffff:') ? address.slice(7) : address;
}

function cannotListen(host: string, port: number, error: NodeJS.ErrnoException): LogError {
  const why =
    error.code === 'EADDRINUSE'
      ? 'it is in use; stop what uses it, or choose another port (0 takes any free one)'
      : error.message;
  return new LogError('CANNOT_LISTEN', `cannot listen on port ${port} of ${host}: ${why}`, { cause: error });
}
