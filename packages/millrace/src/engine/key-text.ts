/** Keys as people type and read them: text as it is, anything else as JSON: 42, true, ["a",1], {"bigint":"12"}. */
import type { Key } from '../topology/key.ts';
import { canonicalKey } from '../topology/key.ts';

/** What `keysMeant` gives back first for the same text. */
export function keyText(key: Key): string {
  if (typeof key === 'string' && fromText(key) === undefined) return key;
  return JSON.stringify(key, (_, part: unknown) => (typeof part === 'bigint' ? { bigint: String(part) } : part));
}

/** The keys that a text may mean, the likeliest first: 42 is a number, and maybe the text '42'. */
export function keysMeant(text: string): readonly [Key, ...Key[]] {
  const key = fromText(text);
  return key === undefined ? [text] : [key, text];
}

function fromText(text: string): Key | undefined {
  try {
    const key = fromJson(JSON.parse(text));
    return canonicalKey(key) === undefined ? undefined : key; // 1e999 is no finite number
  } catch {
    return undefined;
  }
}

/** Undefined if it is no key. */
function fromJson(json: unknown): Key | undefined {
  if (typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean') return json;
  if (Array.isArray(json)) {
    const tuple = json.map(fromJson);
    return tuple.includes(undefined) ? undefined : (tuple as Key[]);
  }
  const { bigint } = (json ?? {}) as { readonly bigint?: unknown };
  return typeof bigint === 'string' && /^-?\d+$/.test(bigint) ? BigInt(bigint) : undefined;
}
