import { GroupCoordinator } from '../groups/group-coordinator.ts';
import type { Clock } from '../log/clock.ts';
import type { DirectoryLog } from '../log/log.ts';
import { ReadBuffers } from '../log/read-buffers.ts';
import { Budget } from './budget.ts';
import { Connection, type Serving, type Wire } from './connection.ts';
import { FetchSessions } from './fetch-sessions.ts';
import type { Client, Parts } from './handler.ts';
import { handlers } from './handlers.ts';
import type { BrokerSettings } from './settings.ts';

/**
 * Serves Kafka's protocol to whatever connects: the coordinators, what requests share, and the connections. It knows no
 * sockets (listener.ts does), so that a test, or a simulation, can stand in for the network.
 */
export interface ProtocolServerOptions {
  readonly log: DirectoryLog;
  readonly clock: Clock;
  readonly random: () => number;
  readonly settings: BrokerSettings;
  readonly say: (remark: string) => void;
}

/** The one broker's id. */
const NODE_ID = 1;
/** How long clients may take to read their last responses, in ms. */
const LAST_RESPONSES = 5_000;

export class ProtocolServer {
  private readonly serving: Serving;
  private readonly connections = new Set<Connection>();
  private readonly stopping = new AbortController();
  private whenNone: (() => void) | undefined;

  private constructor(parts: Omit<Parts, 'stopping'>) {
    this.serving = {
      parts: { ...parts, stopping: this.stopping.signal },
      handlers: new Map(handlers.map((one) => [one.api.key, one])),
      budget: new Budget(parts.settings['queued.max.request.bytes']),
    };
  }

  static async open({ log, clock, random, settings, say }: ProtocolServerOptions): Promise<ProtocolServer> {
    const groups = await GroupCoordinator.open({ log, clock, random, settings });
    const transactions = await log.transactions();
    transactions.limits = {
      maxTimeoutMs: settings['transaction.max.timeout.ms'],
      expirationMs: settings['transactional.id.expiration.ms'],
    };
    return new ProtocolServer({
      log,
      groups,
      transactions,
      fetchSessions: new FetchSessions(random),
      readBuffers: new ReadBuffers(),
      clock,
      settings,
      nodeId: NODE_ID,
      clusterId: await log.catalog.clusterId(),
      apis: handlers.map(({ api }) => api),
      say,
    });
  }

  /** Takes over what comes by a wire. */
  connect(wire: Wire, who: Pick<Client, 'host' | 'endpoint'>): Connection {
    const connection = new Connection(this.serving, wire, who, () => {
      this.connections.delete(connection);
      if (this.connections.size === 0) this.whenNone?.();
    });
    this.connections.add(connection);
    return connection;
  }

  /** Answers whoever waits, lets every client read its last response, and stops the groups; transactions go on with the log. */
  async close(): Promise<void> {
    const { groups, clock } = this.serving.parts;
    this.stopping.abort();
    groups.close();
    for (const connection of this.connections) connection.stop();
    if (this.connections.size > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.whenNone = resolve;
      const cancel = clock.setTimer(LAST_RESPONSES, resolve);
      await promise;
      cancel();
      for (const connection of this.connections) connection.destroy();
    }
  }
}
