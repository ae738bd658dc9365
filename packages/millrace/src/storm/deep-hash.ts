/**
 * How Apache Storm's fields grouping chooses a task: `floorMod(deepHash(values), tasks)`, with Java's own hash codes
 * (Storm 2.8.8, `org.apache.storm.utils.TupleUtils`). Millrace itself routes by key groups and never by this; it is here
 * so that, once a graph runs on Storm, it can be said in advance where a tuple goes. Until then nothing imports it.
 *
 * A value is hashed as the Java class that it has after crossing Storm's multilang, where it travels as JSON:
 *
 * | here | on the wire | in Java |
 * |---|---|---|
 * | string | string | String |
 * | true, false | true, false | Boolean |
 * | null | null | null |
 * | whole number, 32 bits | digits | Integer |
 * | whole number beyond: a safe integer, or a bigint up to 64 bits | digits | Long |
 * | fraction of at most 18 characters | digits with a point or an exponent | Double |
 * | array | array | List |
 * | object | object | Map |
 *
 * The trap: JSON.stringify writes 3.0 as `3`, so one field of measured values arrives as Double (1.5) and as Integer (3),
 * and a Java component that emits the Double 3.0 sends it to another task than we do. Group by strings or integers. For
 * the same reason a number of more digits is refused: Storm's parser makes a BigDecimal or a BigInteger of it.
 */
import { MillraceError } from '../errors.ts';

export type StormValue =
  | string
  | boolean
  | null
  | number
  | bigint
  | readonly StormValue[]
  | { readonly [key: string]: StormValue };

/** The hash of the grouping fields' values, in the order of the fields: Java's `Arrays.deepHashCode`, 32 bits, signed. */
export function deepHash(values: readonly StormValue[]): number {
  return listHash(values);
}

/** The task, 0 to `tasks` − 1 in ascending order of Storm's task ids, that a fields grouping sends these values to. */
export function stormTask(values: readonly StormValue[], tasks: number): number {
  return ((deepHash(values) % tasks) + tasks) % tasks;
}

function listHash(values: readonly StormValue[]): number {
  let hash = 1;
  for (const value of values) hash = (Math.imul(31, hash) + hashOf(value)) | 0;
  return hash;
}

function hashOf(value: StormValue): number {
  switch (typeof value) {
    case 'string':
      return stringHash(value);
    case 'boolean':
      return value ? 1231 : 1237;
    case 'number':
      return numberHash(value);
    case 'bigint':
      return wholeHash(value);
    case 'object':
      if (value === null) return 0;
      return isList(value) ? listHash(value) : mapHash(value);
    default:
      return refuse(value);
  }
}

function isList(value: object): value is readonly StormValue[] {
  return Array.isArray(value);
}

/** `String.hashCode`: over UTF-16 code units, which are JavaScript's own. */
function stringHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(31, hash) + text.charCodeAt(i)) | 0;
  return hash;
}

function numberHash(value: number): number {
  if (Number.isSafeInteger(value)) return wholeHash(BigInt(value)); // −0 as well: JSON writes it as 0
  if (!Number.isFinite(value) || Number.isInteger(value)) return refuse(value);
  const text = JSON.stringify(value);
  if (text.length > 18) return refuse(value);
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  return bits.getInt32(0) ^ bits.getInt32(4);
}

/** `Integer.hashCode` is the value; `Long.hashCode` folds the upper half onto the lower. */
function wholeHash(value: bigint): number {
  if (BigInt.asIntN(64, value) !== value) return refuse(value);
  const low = Number(BigInt.asIntN(32, value));
  return BigInt(low) === value ? low : low ^ Number(BigInt.asIntN(32, value >> 32n));
}

/** `Map.hashCode`: the sum over the entries of hash(key) xor hash(value), whatever their order. */
function mapHash(map: { readonly [key: string]: StormValue }): number {
  let hash = 0;
  for (const [key, value] of Object.entries(map)) hash = (hash + (stringHash(key) ^ hashOf(value))) | 0;
  return hash;
}

function refuse(value: unknown): never {
  throw new MillraceError('MR_STORM_VALUE', [typeof value === 'bigint' ? `${value}n` : String(value)]);
}
