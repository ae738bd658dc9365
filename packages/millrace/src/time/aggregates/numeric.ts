/** Numbers of the user's: one NaN would poison all that comes after it in its window, so it is refused when it comes. */
import { MillraceError } from '../../errors.ts';

/** `of`, with what it gives checked: a finite number, or MR_NOT_FINITE naming the aggregate. */
export function numeric<T>(name: string, of: (value: T) => number): (value: T) => number {
  checkFunction(name, of);
  return (value) => {
    const number = of(value);
    if (typeof number !== 'number' || number - number !== 0) throw new MillraceError('MR_NOT_FINITE', [name, number]);
    return number;
  };
}

/** Refuses, when the topology is built, what is no function of a value. */
export function checkFunction(name: string, of: unknown): void {
  if (typeof of !== 'function') {
    throw new MillraceError('MR_OPTION', [name, 'what it is of', of, 'a function such as (r) => r.value']);
  }
}
