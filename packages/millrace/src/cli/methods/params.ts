/** Reads the parameters of a request, which another process wrote: each field has the type asked for, or MR_CONTROL. */
import { MillraceError } from '../../errors.ts';

export interface Params {
  text(name: string): string;
  optionalText(name: string): string | undefined;
  optionalCount(name: string): number | undefined;
  flag(name: string): boolean;
  raw(name: string): unknown;
}

export function readParams(params: unknown): Params {
  if (typeof params !== 'object' || params === null) throw wrong('the parameters must be an object');
  const fields = params as Readonly<Record<string, unknown>>;
  const optionalText = (name: string): string | undefined => {
    const value = fields[name];
    if (value === undefined || typeof value === 'string') return value;
    throw wrong(`'${name}' must be a text`);
  };
  return {
    text(name) {
      const value = optionalText(name);
      if (value === undefined) throw wrong(`'${name}' is missing: a text`);
      return value;
    },
    optionalText,
    optionalCount(name) {
      const value = fields[name];
      if (value === undefined || isCount(value)) return value;
      throw wrong(`'${name}' must be an integer of 0 or more`);
    },
    flag: (name) => fields[name] === true,
    raw: (name) => fields[name],
  };
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

export function wrong(why: string): MillraceError {
  return new MillraceError('MR_CONTROL', [why]);
}
