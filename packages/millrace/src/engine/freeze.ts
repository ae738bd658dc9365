/** Deep-freezing (law 10): emitted and stored values belong to the engine, and a test finds out who changes one. */

/** Freezes the value and all it holds. What is frozen already is taken as deep-frozen; typed arrays cannot be frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  Object.freeze(value);
  for (const name of Reflect.ownKeys(value)) {
    const own = Object.getOwnPropertyDescriptor(value, name);
    if (own !== undefined && 'value' in own) deepFreeze(own.value);
  }
  return value;
}

export function asItIs<T>(value: T): T {
  return value;
}
