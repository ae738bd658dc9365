/**
 * A number for a value: equal values have equal ones, in every process. The bytes of a structured clone would not do, as V8
 * writes the same number, or the same array, in several ways, by how it happens to hold it.
 */

/** FNV-1a, 32 bits. */
const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

export function fingerprint(value: unknown): number {
  let hash = OFFSET;
  const seen = new Map<object, number>();
  const add = (text: string) => {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), PRIME);
  };
  const addAll = (mark: string, parts: readonly unknown[]) => {
    add(`${mark}${parts.length}:`);
    for (const part of parts) visit(part);
  };
  const visit = (part: unknown): void => {
    if (typeof part === 'string') return add(`s${part.length}:${part}`);
    if (typeof part !== 'object' || part === null) return add(`${typeof part}:${shownScalar(part)};`);
    const there = seen.get(part);
    if (there !== undefined) return add(`r${there};`);
    seen.set(part, seen.size);
    if (Array.isArray(part)) return addAll('a', part);
    if (part instanceof Map) return addAll('m', [...part].flat());
    if (part instanceof Set) return addAll('t', [...part]);
    if (part instanceof Date) return add(`d${part.getTime()};`);
    if (ArrayBuffer.isView(part))
      return addAll('b', [...new Uint8Array(part.buffer, part.byteOffset, part.byteLength)]);
    addAll('o', Object.entries(part).flat());
  };
  visit(value);
  return hash >>> 0;
}

function shownScalar(value: unknown): string {
  return Object.is(value, -0) ? '-0' : String(value);
}
