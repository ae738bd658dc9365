/**
 * Taking a user's value into the engine's keeping (law 10): it is frozen where the engine freezes, and there it is looked
 * through for what a checkpoint would lose, too, so that a test finds it; elsewhere only for what is wrong as a whole.
 */
import { unfaithful } from '../codec/structured.ts';
import { MillraceError } from '../errors.ts';
import type { StateSpec } from '../topology/state-spec.ts';
import type { Accept } from './cells.ts';

export function accepting(
  component: string,
  name: string,
  spec: StateSpec<unknown>,
  freeze: <T>(value: T) => T,
): Accept {
  if (spec.owned) return (value) => value;
  const refuse = (value: unknown) => {
    const found = unfaithful(value);
    if (found) throw new MillraceError('MR_STATE_VALUE', [component, `state.${name}`, found.path, found.what]);
  };
  if (Object.isFrozen(freeze({}))) {
    return (value) => {
      refuse(value);
      return freeze(value);
    };
  }
  return (value) => {
    if (typeof value === 'function' || typeof value === 'symbol') refuse(value);
    return value;
  };
}
