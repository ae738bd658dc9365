/** Bytes as they are. Nothing is copied: who gives them away does not write to them again. */
import { MillraceError } from '../errors.ts';
import type { Codec } from './codec.ts';

export const bytes: Codec<Uint8Array> = {
  encode(value) {
    if (value instanceof Uint8Array) return value;
    const what = value === null ? 'null' : `of type ${typeof value}`;
    throw new MillraceError('MR_ENCODE', ['the bytes codec', 'the value', what]);
  },
  decode: (value) => value,
};
