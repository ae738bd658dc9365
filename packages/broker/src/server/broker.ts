import { LogError } from '../errors.ts';
import type { Log, LogOptions } from '../log/api.ts';
import { systemClock, systemRandom } from '../log/clock.ts';
import { DirectoryLog, openDirectoryLog } from '../log/log.ts';
import type { Listener } from './listener.ts';
import type { ProtocolServer } from './protocol-server.ts';
import { type BrokerSettings, settingsWith } from './settings.ts';

/** A single-node Kafka in this process: a log, and Kafka's protocol in front of it. */
export interface BrokerOptions extends Partial<LogOptions> {
  /** A log that is open already, instead of `directory`. It stays open when the broker is closed. */
  readonly log?: Log;
  /** What to listen on, 127.0.0.1 by default: a name, an IPv4 or an IPv6 address. */
  readonly host?: string;
  /** 0 (default) takes any free one. */
  readonly port?: number;
  /**
   * Must be true for a host that other machines can reach. There is no authentication: whoever reaches the port can
   * read, write and delete every topic.
   */
  readonly allowRemote?: boolean;
  /**
   * Where clients are told to connect, when it is not the address by which they have come: behind a port mapping of a
   * container, say. Without a port, the one that is listened on.
   */
  readonly advertised?: { readonly host: string; readonly port?: number };
  /** Kafka's names. `producer.id.expiration.ms` is for a log that the broker opens. */
  readonly settings?: Partial<BrokerSettings>;
  /** Hears of what is refused or goes wrong; by default nobody does. */
  readonly onRemark?: (remark: string) => void;
}

export class Broker {
  readonly log: Log;
  readonly host: string;
  readonly port: number;
  private readonly server: ProtocolServer;
  private readonly listener: Listener;
  private readonly ownsLog: boolean;
  private closing: Promise<void> | undefined;

  private constructor(log: Log, ownsLog: boolean, server: ProtocolServer, listener: Listener) {
    this.log = log;
    this.ownsLog = ownsLog;
    this.server = server;
    this.listener = listener;
    this.host = listener.host;
    this.port = listener.port;
  }

  /** Opens the log if need be, and listens. Throws LogError INVALID_CONFIG, CANNOT_LISTEN, and what openLog throws. */
  static async start(options: BrokerOptions): Promise<Broker> {
    const settings = settingsWith(options.settings ?? {});
    const say = options.onRemark ?? (() => {});
    const log = await logOf(options, settings);
    let server: ProtocolServer | undefined;
    try {
      // The protocol is loaded by those who serve it: who uses the log alone starts faster.
      const [{ ProtocolServer }, { listen }] = await Promise.all([
        import('./protocol-server.ts'),
        import('./listener.ts'),
      ]);
      const { clock = systemClock, random = systemRandom } = options;
      const opened = await ProtocolServer.open({ log, clock, random, settings, say });
      server = opened;
      const listener = await listen({
        host: options.host ?? '127.0.0.1',
        port: options.port ?? 0,
        allowRemote: options.allowRemote ?? false,
        advertised: options.advertised,
        maxConnections: settings['max.connections'],
        connect: (wire, who) => opened.connect(wire, who),
        say,
      });
      return new Broker(log, options.log === undefined, opened, listener);
    } catch (error) {
      await server?.close();
      if (options.log === undefined) await log.close();
      throw error;
    }
  }

  /** `host:port`, for a client's bootstrap servers. */
  get bootstrap(): string {
    return this.host.includes(':') ? `[${this.host}]:${this.port}` : `${this.host}:${this.port}`;
  }

  /** Answers what was asked, lets the clients go, and closes the log if the broker has opened it. */
  close(): Promise<void> {
    this.closing ??= this.closeParts();
    return this.closing;
  }

  private async closeParts(): Promise<void> {
    await this.listener.close();
    await this.server.close();
    if (this.ownsLog) await this.log.close();
  }
}

async function logOf({ log, directory, ...options }: BrokerOptions, settings: BrokerSettings): Promise<DirectoryLog> {
  if (log instanceof DirectoryLog) return log;
  if (log !== undefined) throw new LogError('INVALID_CONFIG', 'the log must be one that openLog has given');
  if (directory === undefined)
    throw new LogError('INVALID_CONFIG', 'a broker needs a directory, or a log that is open');
  return openDirectoryLog({
    producerIdExpirationMs: settings['producer.id.expiration.ms'],
    ...options,
    directory,
  });
}
