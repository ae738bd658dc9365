/** How wide text is on a terminal, and cutting it there. Escape sequences (colours) take no room and are never cut. */
import { stripVTControlCharacters } from 'node:util';

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u;
const NONE = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with a control character
const SEQUENCE = /\x1b\[[0-9;]*m/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to make visible
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

function charWidth(char: string): number {
  if (char >= ' ' && char <= '~') return 1;
  return NONE.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
}

/** Columns that the text takes. */
export function textWidth(text: string): number {
  let width = 0;
  for (const char of stripVTControlCharacters(text)) width += charWidth(char);
  return width;
}

/** The text, or as much of it as fits in `columns` with an ellipsis at its end. Colours are closed where it is cut. */
export function cutText(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let kept = '';
  let left = columns - 1;
  let coloured = false;
  for (let at = 0; at < text.length; ) {
    SEQUENCE.lastIndex = at;
    const sequence = SEQUENCE.exec(text)?.[0];
    if (sequence !== undefined) {
      kept += sequence;
      coloured = true;
      at += sequence.length;
      continue;
    }
    const char = String.fromCodePoint(text.codePointAt(at)!);
    left -= charWidth(char);
    if (left < 0) break;
    kept += char;
    at += char.length;
  }
  return `${kept}…${coloured ? '\x1b[0m' : ''}`;
}

/** Data as one harmless line: control characters, which could move the cursor or hide text, are written out. */
export function visible(text: string): string {
  return text.replace(CONTROL, (char) => {
    const named = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[char];
    return named ?? `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
