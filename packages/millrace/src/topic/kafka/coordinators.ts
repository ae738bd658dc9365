/** Which broker coordinates a group or a transactional id: found when it is first asked for, and anew when it has moved. */
import type { Cluster } from './cluster.ts';
import { Again, check, errorName } from './failure.ts';
import type { FindCoordinatorRequest, FindCoordinatorResponse } from './wire.ts';

const KINDS = { group: 0, 'transactional id': 1 } as const;
const MOVED = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE']);

export class Coordinators {
  readonly #cluster: Cluster;
  readonly #kind: keyof typeof KINDS;
  readonly #nodes = new Map<string, number>();

  constructor(cluster: Cluster, kind: keyof typeof KINDS) {
    this.#cluster = cluster;
    this.#kind = kind;
  }

  /** One request to the coordinator of this key, and its answer, error codes within included. */
  async ask<A extends unknown[], R>(key: string, api: string, args: A): Promise<R> {
    const node = this.#nodes.get(key) ?? (await this.#find(key));
    try {
      return await this.#cluster.ask<A, R>(node, api, args);
    } catch (error) {
      this.#nodes.delete(key);
      throw error;
    }
  }

  /** Takes note of an error code that the coordinator answered. */
  heard(key: string, code: number): void {
    if (MOVED.has(errorName(code))) this.#nodes.delete(key);
  }

  async #find(key: string): Promise<number> {
    const what = `${this.#kind} '${key}'`;
    const args: FindCoordinatorRequest = [KINDS[this.#kind], [key]];
    const response = await this.#cluster.ask<FindCoordinatorRequest, FindCoordinatorResponse>(
      undefined,
      'FindCoordinator',
      args,
    );
    const [found] = response.coordinators;
    if (!found) throw new Again(`no broker coordinates ${what}`);
    check(found.errorCode, `to name the coordinator of ${what}`, found.errorMessage);
    this.#cluster.learn(found);
    this.#nodes.set(key, found.nodeId);
    return found.nodeId;
  }
}
