/** An edge as between workers: every value is encoded and decoded on its way, so that tests find what would not survive. */
import { structured } from '../codec/structured.ts';
import { MillraceError, messageOf } from '../errors.ts';
import type { Edge } from './edge.ts';
import { Output } from './output.ts';

export class EncodingEdge implements Edge {
  readonly #edge: Edge;
  readonly #component: string;
  readonly #stream: string;
  readonly #freeze: <T>(value: T) => T;
  readonly #fail: (error: MillraceError) => void;

  constructor(
    edge: Edge,
    component: string,
    stream: string,
    freeze: <T>(value: T) => T,
    fail: (error: MillraceError) => void,
  ) {
    this.#edge = edge;
    this.#component = component;
    this.#stream = stream;
    this.#freeze = freeze;
    this.#fail = fail;
  }

  /** A value that does not survive stops the topology, MR_EDGE_ENCODING: it would not run on two workers. */
  send(output: Output): number {
    const copy = new Output(output.metrics, output.direct, this.#freeze);
    try {
      for (let i = 0; i < output.count; i++)
        copy.add(this.#copied(output.values[i]), output.times[i]!, output.tasks[i]);
    } catch (thrown) {
      this.#fail(new MillraceError('MR_EDGE_ENCODING', [this.#component, this.#stream, messageOf(thrown)], thrown));
      return 0;
    }
    return this.#edge.send(copy);
  }

  #copied(value: unknown): unknown {
    return structured.decode(structured.encode(value));
  }
}
