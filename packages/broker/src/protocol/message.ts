import { Field } from './fields.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

/**
 * Messages: named fields in order, read and written in any version from one definition. What a version lacks reads as
 * its default and is left out when written; tagged fields and the two ways of writing lengths (KIP-482) are handled here
 * and nowhere else.
 */
export type Shape = Readonly<Record<string, Field<unknown, never>>>;

/** What reading gives: every field. */
export type ReadOf<S> = { -readonly [K in keyof S]: S[K] extends Field<infer R, never> ? R : never };

type OptionalKeys<S> = { [K in keyof S]: S[K] extends Field<unknown, never, true> ? K : never }[keyof S];
type WriteValue<F> = F extends Field<unknown, infer W> ? W : never;
/** What writing takes: fields with a default, and fields that only some versions have, may be left out. */
export type WriteOf<S> = { readonly [K in Exclude<keyof S, OptionalKeys<S>>]: WriteValue<S[K]> } & {
  readonly [K in OptionalKeys<S>]?: WriteValue<S[K]> | undefined;
};

type Values = Record<string, unknown>;

interface Step {
  readonly name: string;
  readonly field: Field<unknown, unknown>;
  readonly nullable: boolean;
}

/** How one version of a shape is read and written. */
class Layout {
  private readonly version: number;
  private readonly flexible: boolean;
  private readonly steps: Step[] = [];
  private readonly tagged = new Map<number, Step>();
  /** Names and defaults of what this version lacks, and of what travels only when it differs from them. */
  private readonly absent: (readonly [string, unknown])[] = [];
  readonly least: number;

  constructor(shape: Shape, version: number, flexible: boolean) {
    this.version = version;
    this.flexible = flexible;
    let least = flexible ? 1 : 0;
    for (const [name, field] of Object.entries(shape) as [string, Field<unknown, unknown>][]) {
      const { since, until, tag, taggedSince, nullableSince } = field.traits;
      const step = { name, field, nullable: version >= nullableSince };
      if (version < since || version > until) {
        this.absent.push([name, field.absent]);
      } else if (tag !== undefined && version >= taggedSince && flexible) {
        this.tagged.set(tag, step);
        this.absent.push([name, field.absent]);
      } else {
        this.steps.push(step);
        least += field.encoding.least(flexible, version);
      }
    }
    this.least = least;
  }

  read(reader: Reader): Values {
    const values: Values = {};
    const { flexible } = this;
    for (const step of this.steps) values[step.name] = this.readStep(reader, step);
    for (const [name, value] of this.absent) values[name] = value;
    if (!flexible) return values;
    reader.tags(
      this.tagged.size === 0
        ? undefined
        : (tag) => {
            const step = this.tagged.get(tag);
            if (step !== undefined) values[step.name] = this.readStep(reader, step);
          },
    );
    return values;
  }

  write(writer: Writer, values: Values): void {
    const { flexible, version } = this;
    for (const { name, field, nullable } of this.steps) {
      let value = values[name];
      if (value === undefined) value = field.absent;
      if (value === null && !nullable) throw new TypeError(`${name} cannot be null in version ${version}`);
      field.encoding.write(writer, value, flexible, version);
    }
    if (flexible) this.writeTagged(writer, values);
  }

  private readStep(reader: Reader, { name, field, nullable }: Step): unknown {
    const value = field.encoding.read(reader, this.flexible, this.version);
    if (value === null && !nullable) reader.fail(`${name} is null`);
    return value;
  }

  private writeTagged(writer: Writer, values: Values): void {
    if (this.tagged.size === 0) return writer.uvarint(0);
    const present = [...this.tagged].filter(([, { name, field }]) => {
      const value = values[name];
      return value !== undefined && value !== field.absent && !(Array.isArray(value) && value.length === 0);
    });
    present.sort(([a], [b]) => a - b);
    writer.uvarint(present.length);
    for (const [tag, { name, field }] of present) {
      const inner = new Writer();
      field.encoding.write(inner, values[name], this.flexible, this.version);
      writer.uvarint(tag);
      writer.uvarint(inner.size);
      for (const chunk of inner.finish()) writer.raw(chunk);
    }
  }
}

/** The layouts of a shape, made when a version is first met. */
class Layouts {
  private readonly shape: Shape;
  private readonly made: Layout[] = [];

  constructor(shape: Shape) {
    this.shape = shape;
  }

  at(version: number, flexible: boolean): Layout {
    const index = version * 2 + (flexible ? 1 : 0);
    const made = this.made[index];
    if (made !== undefined) return made;
    const layout = new Layout(this.shape, version, flexible);
    this.made[index] = layout;
    return layout;
  }
}

/** A message within a message. Where null may stand for it, a byte says whether it does. */
export function struct<S extends Shape>(shape: S): Field<ReadOf<S>, WriteOf<S>, false> {
  const layouts = new Layouts(shape);
  return new Field<ReadOf<S>, WriteOf<S>, false>({
    read: (reader, flexible, version) => layouts.at(version, flexible).read(reader) as ReadOf<S>,
    write: (writer, value, flexible, version) => layouts.at(version, flexible).write(writer, value as Values),
    least: (flexible, version) => layouts.at(version, flexible).least,
    absent: Object.fromEntries(Object.entries(shape).map(([name, field]) => [name, field.absent])) as ReadOf<S>,
  });
}

/** The same, where null may stand for it: a byte before it is 1, or -1 and nothing follows. */
export function nullableStruct<S extends Shape>(shape: S): Field<ReadOf<S> | null, WriteOf<S> | null, false> {
  const { encoding } = struct(shape);
  const field = new Field<ReadOf<S> | null, WriteOf<S> | null, false>({
    read: (reader, flexible, version) => (reader.int8() < 0 ? null : encoding.read(reader, flexible, version)),
    write(writer, value, flexible, version) {
      writer.int8(value === null ? -1 : 1);
      if (value !== null) encoding.write(writer, value, flexible, version);
    },
    least: () => 1,
    absent: null,
  });
  return field.nullable();
}

/** Many of a field, or of a message that is given by its shape. */
export function array<R, W>(element: Field<R, W, false>): Field<R[], readonly W[], false>;
export function array<S extends Shape>(shape: S): Field<ReadOf<S>[], readonly WriteOf<S>[], false>;
export function array(of: Field<unknown, unknown> | Shape): Field<unknown[], readonly unknown[], false> {
  const { encoding, traits } = of instanceof Field ? of : (struct(of) as unknown as Field<unknown, unknown>);
  return new Field<unknown[], readonly unknown[], false>({
    read(reader, flexible, version) {
      const count = reader.count(
        flexible ? reader.uvarint() - 1 : reader.int32(),
        Math.max(1, encoding.least(flexible, version)),
      );
      if (count === -1) return null as unknown as unknown[];
      const values: unknown[] = [];
      for (let n = 0; n < count; n++) {
        const value = encoding.read(reader, flexible, version);
        if (value === null && version < traits.nullableSince) reader.fail(`element ${n} of an array is null`);
        values.push(value);
      }
      return values;
    },
    write(writer, values, flexible, version) {
      const count = values === null ? -1 : values.length;
      if (flexible) writer.uvarint(count + 1);
      else writer.int32(count);
      if (values !== null) for (const value of values) encoding.write(writer, value, flexible, version);
    },
    least: (flexible) => (flexible ? 1 : 4),
    absent: [],
  });
}

/** A message that stands alone. `flexible` is the first version that has tagged fields and compact lengths. */
export class Message<S extends Shape> {
  readonly shape: S;
  readonly flexible: number;
  private readonly layouts: Layouts;

  constructor(flexible: number, shape: S) {
    this.flexible = flexible;
    this.shape = shape;
    this.layouts = new Layouts(shape);
  }

  read(reader: Reader, version: number): ReadOf<S> {
    return this.layouts.at(version, version >= this.flexible).read(reader) as ReadOf<S>;
  }

  write(writer: Writer, version: number, values: WriteOf<S>): void {
    this.layouts.at(version, version >= this.flexible).write(writer, values as Values);
  }

  decode(bytes: Buffer, version: number): ReadOf<S> {
    return this.read(new Reader(bytes), version);
  }

  encode(version: number, values: WriteOf<S>): Buffer {
    const writer = new Writer();
    this.write(writer, version, values);
    return writer.toBuffer();
  }
}

/** For messages that no version of has tagged fields. */
export const NEVER = Number.POSITIVE_INFINITY;

/** One API of the protocol: its key, the versions that are served, and its two messages. */
export interface Api<Q extends Shape = Shape, A extends Shape = Shape> {
  readonly key: number;
  readonly name: string;
  readonly versions: readonly [least: number, most: number];
  readonly request: Message<Q>;
  readonly response: Message<A>;
}

export function api<Q extends Shape, A extends Shape>(
  key: number,
  name: string,
  versions: readonly [least: number, most: number],
  flexible: number,
  request: Q,
  response: A,
): Api<Q, A> {
  return {
    key,
    name,
    versions,
    request: new Message(flexible, request),
    response: new Message(flexible, response),
  };
}
