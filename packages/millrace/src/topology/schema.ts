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

/**
 * The names of the fields that the schema's values have, where the schema can tell: validators that implement
 * Standard JSON Schema (zod ≥ 4.2) can, `type<T>()` cannot, and the compiler checks alone.
 */
export function fieldsOf(schema: Schema<unknown>): readonly string[] | undefined {
  const standard = schema['~standard'] as { jsonSchema?: { output(options: { target: string }): unknown } };
  if (standard.jsonSchema === undefined) return undefined;
  const shape = standard.jsonSchema.output({ target: 'draft-2020-12' }) as { type?: string; properties?: object };
  return shape.type === 'object' && shape.properties ? Object.keys(shape.properties) : undefined;
}
