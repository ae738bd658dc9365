/** Schemas: any Standard Schema validator (zod, valibot, arktype, …), and `type<T>()`, which checks nothing. */
import { MillraceError } from '../errors.ts';

/** The part of https://standardschema.dev that Millrace uses. */
export interface Schema<out T> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}

/** A schema that trusts the type it is given and checks nothing at run time. */
export function type<T>(): Schema<T> {
  return { '~standard': { version: 1, vendor: 'millrace', validate: (value) => ({ value }) } };
}

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[];
}

/** The value as the schema gives it back, or MR_SCHEMA naming `what` and each issue with its path. */
export function validate<T>(schema: Schema<T>, value: unknown, what: string): T {
  const result = schema['~standard'].validate(value) as
    | { value?: unknown; issues?: readonly Issue[] }
    | Promise<unknown>;
  if (result instanceof Promise) throw new MillraceError('MR_SCHEMA_ASYNC', [what, schema['~standard'].vendor]);
  if (result.issues) throw new MillraceError('MR_SCHEMA', [what, result.issues.map(issueText).join('; ')]);
  return result.value as T;
}

function issueText(issue: Issue): string {
  const path = (issue.path ?? []).map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}

/** The parts of JSON Schema that say what a value looks like; limits and descriptions do not. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: { readonly [name: string]: JsonSchema };
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
}
interface JsonSchemaOptions {
  readonly target: 'draft-2020-12';
  readonly libraryOptions: { readonly [option: string]: unknown };
}

/**
 * What the schema says of its values, where it can: validators that implement Standard JSON Schema (zod ≥ 4.2) can.
 * Undefined for `type<T>()`, and for types that JSON Schema has no word for.
 */
export function jsonSchemaOf(schema: Schema<unknown>): JsonSchema | undefined {
  const { jsonSchema } = schema['~standard'] as { jsonSchema?: { output(options: JsonSchemaOptions): unknown } };
  if (jsonSchema === undefined) return undefined;
  try {
    // Without this zod throws for an object that has a date, a bigint or a transformed field.
    return jsonSchema.output({ target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } }) as JsonSchema;
  } catch {
    return undefined; // The interface says: throws when the type cannot be represented.
  }
}

/**
 * The names of the fields that the schema's values have, where the schema can tell. Undefined, so that the compiler checks
 * alone, also for values that are not plain objects or may have further fields.
 */
export function fieldsOf(schema: Schema<unknown>): readonly string[] | undefined {
  const { type, properties, additionalProperties = false } = jsonSchemaOf(schema) ?? {};
  return type === 'object' && properties && additionalProperties === false ? Object.keys(properties) : undefined;
}
