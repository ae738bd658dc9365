/** TCP and local sockets of this machine. */
import { chmod, unlink } from 'node:fs/promises';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { MillraceError } from '../errors.ts';
import type { Address, Connection, Sockets } from './runtime.ts';

export const realSockets: Sockets = {
  async listen(address, accept) {
    const server = createServer({ noDelay: true }, (socket) => accept(connectionOf(socket, address)));
    checkPath(address);
    try {
      await listening(server, address);
    } catch (error) {
      if (!('path' in address) || !(await isAbandoned(address.path, error))) throw error;
      await unlink(address.path);
      await listening(server, address);
    }
    // Whoever may connect to a local socket may command its owner's process.
    if ('path' in address) await chmod(address.path, 0o600);
    return { address: boundTo(server, address), close: () => closed(server) };
  },

  connect(address) {
    checkPath(address);
    return new Promise((resolve, reject) => {
      const socket = createConnection('path' in address ? address : { ...address, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(connectionOf(socket, address));
      });
    });
  },
};

/** The kernel's limit, without the closing zero; a longer path would be cut or refused without a reason. */
const LONGEST_PATH = process.platform === 'darwin' ? 103 : 107;

function checkPath(address: Address): void {
  if (!('path' in address) || process.platform === 'win32') return;
  const bytes = Buffer.byteLength(address.path);
  if (bytes > LONGEST_PATH) throw new MillraceError('MR_SOCKET_PATH', [address.path, bytes, LONGEST_PATH]);
}

function listening(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(address, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** A process that was killed leaves its socket's file behind: nobody answers there any more. */
async function isAbandoned(path: string, error: unknown): Promise<boolean> {
  if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') return false;
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (refused: NodeJS.ErrnoException) => resolve(refused.code === 'ECONNREFUSED'));
  });
}

function boundTo(server: Server, asked: Address): Address {
  const bound = server.address();
  return bound !== null && typeof bound === 'object' && 'host' in asked
    ? { host: asked.host, port: bound.port }
    : asked;
}

/** Takes no more connections. Those it took live on, so the server's own 'close' is not waited for. */
function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close();
    setImmediate(resolve);
  });
}

function connectionOf(socket: Socket, address: Address): Connection {
  const remote =
    socket.remoteAddress === undefined ? addressText(address) : `${socket.remoteAddress}:${socket.remotePort}`;
  let broken: Error | undefined;
  socket.on('error', (error) => {
    broken = error;
  });
  return {
    remote,
    onData: (receive) => void socket.on('data', receive),
    onClose(closed) {
      if (socket.closed) queueMicrotask(() => closed(broken));
      else socket.once('close', () => closed(broken));
    },
    write: (bytes) => socket.writable && socket.write(bytes),
    onDrain: (drained) => void socket.on('drain', drained),
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close: () => socket.destroySoon(),
  };
}

function addressText(address: Address): string {
  return 'path' in address ? address.path : `${address.host}:${address.port}`;
}
