/** Text as UTF-8. Text with half a surrogate pair, and bytes that are no UTF-8, are refused rather than replaced. */
import { MillraceError } from '../errors.ts';
import type { Codec } from './codec.ts';
import { decodeText, encodeText } from './utf8.ts';

export const string: Codec<string> = {
  encode(text) {
    if (typeof text !== 'string')
      throw new MillraceError('MR_ENCODE', ['the string codec', 'the value', notText(text)]);
    if (text.isWellFormed()) return encodeText(text);
    const at = Array.from(text).findIndex((character) => !character.isWellFormed());
    const what = `half a surrogate pair, at character ${at}`;
    throw new MillraceError('MR_ENCODE', ['UTF-8', 'a part of the text', what]);
  },
  decode: decodeText,
};

function notText(value: unknown): string {
  return value === null ? 'null' : `of type ${typeof value}`;
}
