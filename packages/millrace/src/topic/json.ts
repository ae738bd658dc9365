/** The `json` codec as topics take it: checked by any Standard Schema. Here, because codec/ knows no schemas. */
import type { Codec } from '../codec/codec.ts';
import { jsonOf } from '../codec/json.ts';
import { type Schema, validate } from '../topology/schema.ts';

/** JSON, each decoded value checked by `schema` (MR_SCHEMA): the value is what the schema gives back. */
export function json<T>(schema: Schema<T>): Codec<T> {
  return jsonOf((value) => validate(schema, value, 'the JSON value'));
}
