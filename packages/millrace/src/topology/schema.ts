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

interface JsonSchema {
  readonly type?: string;
  readonly properties?: object;
  readonly additionalProperties?: unknown;
}
interface JsonSchemaOptions {
  readonly target: 'draft-2020-12';
  readonly libraryOptions: { readonly [option: string]: unknown };
}

/**
 * The names of the fields that the schema's values have, where the schema can tell: validators that implement
 * Standard JSON Schema (zod ≥ 4.2) can. Undefined, so that the compiler checks alone, for `type<T>()`, for values that
 * are not plain objects or may have further fields, and for types that JSON Schema has no word for.
 */
export function fieldsOf(schema: Schema<unknown>): readonly string[] | undefined {
  const { jsonSchema } = schema['~standard'] as { jsonSchema?: { output(options: JsonSchemaOptions): unknown } };
  if (jsonSchema === undefined) return undefined;
  let shape: JsonSchema;
  try {
    // Without this zod throws for an object that has a date, a bigint or a transformed field.
    shape = jsonSchema.output({ target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } }) as JsonSchema;
  } catch {
    return undefined; // The interface says: throws when the type cannot be represented.
  }
  const { type, properties, additionalProperties = false } = shape;
  return type === 'object' && properties && additionalProperties === false ? Object.keys(properties) : undefined;
}
