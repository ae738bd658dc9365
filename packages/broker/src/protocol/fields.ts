import type { Reader } from './reader.ts';
import type { Writer } from './writer.ts';

/**
 * The kinds of fields that messages are made of. A field says how it is read and written, in which versions it exists,
 * and what stands for it where it does not. `R` is what reading gives, `W` what writing takes; a field that is `Optional`
 * may be left out when writing.
 */
export interface Encoding<R, W> {
  read(reader: Reader, flexible: boolean, version: number): R;
  write(writer: Writer, value: W, flexible: boolean, version: number): void;
  /** The fewest bytes that a value takes. */
  least(flexible: boolean, version: number): number;
  /** What reading gives where the field does not exist. */
  readonly absent: R;
}

interface Traits {
  readonly since: number;
  readonly until: number;
  /** From this version on null may stand for a value. */
  readonly nullableSince: number;
  readonly tag: number | undefined;
  readonly taggedSince: number;
  readonly hasDefault: boolean;
}

const LAST = Number.POSITIVE_INFINITY;
const plain: Traits = {
  since: 0,
  until: LAST,
  nullableSince: LAST,
  tag: undefined,
  taggedSince: LAST,
  hasDefault: false,
};

export class Field<R, W = R, Optional extends boolean = boolean> {
  /** Only for the compiler. */
  declare readonly optional: Optional;
  readonly encoding: Encoding<R, W>;
  readonly traits: Traits;
  readonly absent: R;

  constructor(encoding: Encoding<R, W>, traits: Traits = plain, absent: R = encoding.absent) {
    this.encoding = encoding;
    this.traits = traits;
    this.absent = absent;
  }

  /** The first version that has it. */
  since(since: number): Field<R, W, true> {
    return this.with({ since });
  }

  /** The last version that has it. */
  until(until: number): Field<R, W, true> {
    return this.with({ until });
  }

  nullable(nullableSince = 0): Field<R | null, W | null, Optional> {
    return new Field<R | null, W | null, Optional>(
      this.encoding as unknown as Encoding<R | null, W | null>,
      { ...this.traits, nullableSince },
      this.absent,
    );
  }

  /** What stands for it where it is left out. */
  or(absent: R): Field<R, W, true> {
    return new Field<R, W, true>(this.encoding, { ...this.traits, hasDefault: true }, absent);
  }

  /** Travels among the tagged fields from this version on, and there only when it differs from its default. */
  tagged(tag: number, taggedSince: number): Field<R, W, true> {
    return this.with({ tag, taggedSince, since: Math.max(this.traits.since, taggedSince) });
  }

  private with(changes: Partial<Traits>): Field<R, W, true> {
    return new Field<R, W, true>(this.encoding, { ...this.traits, hasDefault: true, ...changes }, this.absent);
  }
}

function fixed<T>(
  size: number,
  absent: T,
  read: (reader: Reader) => T,
  write: (writer: Writer, value: T) => void,
): Field<T, T, false> {
  return new Field<T, T, false>({ read, write, least: () => size, absent });
}

export const bool = fixed(
  1,
  false,
  (r) => r.int8() !== 0,
  (w, value) => w.int8(value ? 1 : 0),
);
export const int8 = fixed(
  1,
  0,
  (r) => r.int8(),
  (w, value) => w.int8(value),
);
export const int16 = fixed(
  2,
  0,
  (r) => r.int16(),
  (w, value) => w.int16(value),
);
export const int32 = fixed(
  4,
  0,
  (r) => r.int32(),
  (w, value) => w.int32(value),
);
export const int64 = fixed(
  8,
  0,
  (r) => r.int64(),
  (w, value) => w.int64(value),
);
export const NO_UUID = '00000000-0000-0000-0000-000000000000';
export const uuid = fixed(
  16,
  NO_UUID,
  (r) => r.uuid(),
  (w, value) => w.uuid(value),
);

/** Null where the field may be; the reader refuses it elsewhere (see message.ts). */
export const string = new Field<string, string, false>({
  read: (r, flexible) => r.string(flexible ? r.uvarint() - 1 : r.int16()) as string,
  write(w, value, flexible) {
    if (value === null) return flexible ? w.uvarint(0) : w.int16(-1);
    const length = Buffer.byteLength(value);
    if (flexible) w.uvarint(length + 1);
    else w.int16(length);
    w.string(value, length);
  },
  least: (flexible) => (flexible ? 1 : 2),
  absent: '',
});

/** Reading gives a view of the request. Several pieces are written as one byte string. */
export const bytes = new Field<Buffer, Uint8Array | readonly Uint8Array[], false>({
  read: (r, flexible) => r.view(flexible ? r.uvarint() - 1 : r.int32()) as Buffer,
  write(w, value, flexible) {
    if (value === null) return flexible ? w.uvarint(0) : w.int32(-1);
    const pieces = value instanceof Uint8Array ? [value] : value;
    let length = 0;
    for (const piece of pieces) length += piece.length;
    if (flexible) w.uvarint(length + 1);
    else w.int32(length);
    for (const piece of pieces) w.raw(piece);
  },
  least: (flexible) => (flexible ? 1 : 4),
  absent: Buffer.alloc(0),
});
