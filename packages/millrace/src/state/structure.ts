/** What is known of the structure of values: of an example, or of what a schema says of itself. For comparing and showing. */

import type { JsonSchema } from '../topology/schema.ts';

export type Structure =
  /** Also 'unknown', which agrees with everything, and the names of classes. */
  | string
  | { readonly list: Structure }
  | { readonly record: Structure }
  | { readonly fields: { readonly [name: string]: Structure }; readonly optional: readonly string[] }
  | { readonly oneOf: readonly Structure[] };

export const UNKNOWN = 'unknown';

export function structureOf(example: unknown): Structure {
  if (example === null || example === undefined) return UNKNOWN;
  if (Array.isArray(example)) return { list: common(example.map(structureOf)) };
  if (typeof example !== 'object') return typeof example;
  const prototype: unknown = Object.getPrototypeOf(example);
  if (prototype !== null && prototype !== Object.prototype) return example.constructor.name;
  const fields = Object.entries(example).map(([name, part]) => [name, structureOf(part)] as const);
  // {} is how an empty dictionary begins.
  return fields.length === 0 ? { record: UNKNOWN } : { fields: Object.fromEntries(fields), optional: [] };
}

/** What all of them are; unknown if they differ. */
function common(structures: readonly Structure[]): Structure {
  const [first = UNKNOWN, ...others] = structures;
  return others.every((other) => textOf(other) === textOf(first)) ? first : UNKNOWN;
}

/** Limits and descriptions are no part of it. */
export function structureOfSchema(schema: JsonSchema | boolean | undefined): Structure {
  if (typeof schema !== 'object') return UNKNOWN;
  const { type, properties, required = [], additionalProperties, items } = schema;
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return oneOf(options.map(structureOfSchema));
  if (schema.enum) return oneOf(schema.enum.map(literal));
  if ('const' in schema) return literal(schema.const);
  if (typeof type === 'object') return oneOf(type.map((one) => structureOfSchema({ ...schema, type: one })));
  if (type === 'integer') return 'number';
  if (type === 'array') return { list: structureOfSchema(items) };
  if (type !== 'object') return type ?? UNKNOWN;
  if (!properties) return { record: structureOfSchema(additionalProperties) };
  const fields = Object.entries(properties).map(([name, part]) => [name, structureOfSchema(part)] as const);
  const optional = fields.map(([name]) => name).filter((name) => !required.includes(name));
  return { fields: Object.fromEntries(fields), optional };
}

const literal = (value: unknown): Structure => (value === null ? 'null' : structureOf(value));

function oneOf(structures: readonly Structure[]): Structure {
  const byText = new Map(structures.map((one) => [textOf(one), one]));
  if (byText.has(UNKNOWN)) return UNKNOWN;
  const sorted = [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  return sorted.length === 1 ? sorted[0]! : { oneOf: sorted };
}

/** Whether values of the one can be taken for values of the other, as far as is known. */
export function agree(a: Structure, b: Structure): boolean {
  if (a === UNKNOWN || b === UNKNOWN) return true;
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  if ('list' in a) return 'list' in b && agree(a.list, b.list);
  if ('record' in a) return 'record' in b && agree(a.record, b.record);
  if ('oneOf' in a) return 'oneOf' in b && textOf(a) === textOf(b);
  if (!('fields' in b)) return false;
  const names = Object.keys(a.fields);
  return (
    names.length === Object.keys(b.fields).length &&
    names.every(
      (name) =>
        Object.hasOwn(b.fields, name) &&
        agree(a.fields[name]!, b.fields[name]!) &&
        a.optional.includes(name) === b.optional.includes(name),
    )
  );
}

/** As TypeScript writes it, fields in the order of their names. */
export function textOf(structure: Structure): string {
  if (typeof structure === 'string') return structure;
  if ('list' in structure) return `${bracketed(structure.list)}[]`;
  if ('record' in structure) return `Record<string, ${textOf(structure.record)}>`;
  if ('oneOf' in structure) return structure.oneOf.map(textOf).join(' | ');
  const { fields, optional } = structure;
  const names = Object.keys(fields).sort();
  const parts = names.map((name) => `${field(name)}${optional.includes(name) ? '?' : ''}: ${textOf(fields[name]!)}`);
  return parts.length === 0 ? '{}' : `{ ${parts.join('; ')} }`;
}

function bracketed(structure: Structure): string {
  const text = textOf(structure);
  return typeof structure === 'object' && 'oneOf' in structure ? `(${text})` : text;
}

export const field = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name));
