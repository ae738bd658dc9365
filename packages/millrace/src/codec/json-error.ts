/** Where a text stops being JSON. The engine's own message names an offset only sometimes, and its words change. */

const SPACE = /[ \t\n\r]*/y;
const MARK = /[{}[\]:,]/y;
const LITERAL = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
/** As much of a literal as can be there when it breaks off. */
const START_OF_LITERAL = /t(?:ru?)?|f(?:a(?:ls?)?)?|n(?:ul?)?/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** What may come next, as the grammar of RFC 8259 has it. */
type Wanted = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | 'comma or end';

/** For a text that `JSON.parse` refused: what is wrong, and its offset in the text in UTF-16 units. */
export function jsonErrorAt(text: string): string {
  const open: string[] = [];
  let wanted: Wanted = 'value';
  let at = 0;
  for (;;) {
    at = after(SPACE, text, at) ?? at;
    const next = text[at];
    if (next === undefined) return unexpected(text, at);
    const isValue: boolean = wanted === 'value' || wanted === 'value or ]';
    if (next === '"' && (isValue || wanted === 'name' || wanted === 'name or }')) {
      const { end, broken } = readText(text, at);
      if (broken) return broken;
      wanted = isValue ? 'comma or end' : ':';
      at = end;
    } else if (after(MARK, text, at) !== undefined) {
      const following = afterMark(next, wanted, open);
      if (!following) return unexpected(text, at);
      wanted = following;
      at++;
    } else {
      const end = isValue ? after(LITERAL, text, at) : undefined;
      if (end === undefined) return unexpected(text, (isValue && after(START_OF_LITERAL, text, at)) || at);
      wanted = 'comma or end';
      at = end;
    }
  }
}

/** What is wanted after a mark, or undefined where it may not stand. Keeps `open`, the brackets around it. */
function afterMark(mark: string, wanted: Wanted, open: string[]): Wanted | undefined {
  if (mark === '{' || mark === '[') {
    if (wanted !== 'value' && wanted !== 'value or ]') return undefined;
    open.push(mark);
    return mark === '{' ? 'name or }' : 'value or ]';
  }
  if (mark === ':') return wanted === ':' ? 'value' : undefined;
  const inside = open.at(-1);
  if (mark === ',') {
    if (wanted !== 'comma or end' || !inside) return undefined;
    return inside === '{' ? 'name' : 'value';
  }
  if (inside !== (mark === '}' ? '{' : '[')) return undefined;
  if (wanted !== 'comma or end' && wanted !== `name or ${mark}` && wanted !== `value or ${mark}`) return undefined;
  open.pop();
  return 'comma or end';
}

/** Reads on from an opening quote. One step per character: a regular expression runs out of stack on long texts. */
function readText(text: string, start: number): { readonly end: number; readonly broken?: string } {
  for (let at = start + 1; at < text.length; at++) {
    const next = text[at]!;
    if (next === '"') return { end: at + 1 };
    if (next < ' ') return { end: at, broken: unexpected(text, at) };
    if (next !== '\\') continue;
    const end = after(ESCAPE, text, at);
    if (end === undefined) return { end: at, broken: `an unknown escape at offset ${at} of ${text.length}` };
    at = end - 1;
  }
  return {
    end: text.length,
    broken: `it ends within the text that starts at offset ${start}, at offset ${text.length}`,
  };
}

function after(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}

function unexpected(text: string, at: number): string {
  if (at === text.length) return `it ends too early, at offset ${at}`;
  return `unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at)!))} at offset ${at} of ${text.length}`;
}
