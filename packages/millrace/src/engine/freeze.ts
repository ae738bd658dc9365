/** Deep-freezing (law 10): emitted and stored values belong to the engine, and a test finds out who changes one. */

/** Freezes the value and all it holds. What is frozen already is taken as deep-frozen; typed arrays cannot be frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map || value instanceof Set || value instanceof Date) freezeInside(value);
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

/** What these hold is no property of theirs: their methods that change it refuse instead. */
function freezeInside(value: Map<unknown, unknown> | Set<unknown> | Date): void {
  if (value instanceof Date) Object.defineProperties(value, DATE);
  else {
    Object.defineProperties(value, value instanceof Map ? MAP : SET);
    for (const [name, part] of value.entries()) {
      deepFreeze(name);
      deepFreeze(part);
    }
  }
}

function refusing(what: string, methods: readonly string[]): PropertyDescriptorMap {
  const refuse = (name: string) => () => {
    throw new TypeError(`Cannot ${name} on a ${what} that was emitted or stored: make another one`);
  };
  return Object.fromEntries(methods.map((name) => [name, { value: refuse(name), enumerable: false }]));
}

const MAP = refusing('Map', ['set', 'delete', 'clear']);
const SET = refusing('Set', ['add', 'delete', 'clear']);
const DATE = refusing(
  'Date',
  Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set')),
);
