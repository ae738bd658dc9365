/** Every code of the error table is explained in the reference, and the reference explains no code that is gone. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { ERROR_TABLE } from '../packages/millrace/src/errors.ts';

const page = 'docs/reference/errors.md';

test(`${page} has a heading for each error code, and for no other`, () => {
  const text = readFileSync(join(import.meta.dirname, '..', page), 'utf8');
  const headings = [...text.matchAll(/^## (\S+)$/gm)].map(([, code]) => code ?? '');
  const codes = Object.keys(ERROR_TABLE);
  const missing = codes.filter((code) => !headings.includes(code));
  const gone = headings.filter((code) => !codes.includes(code));
  assert.deepEqual(
    { missing, gone },
    { missing: [], gone: [] },
    `explain what is missing in ${page}, delete what is gone`,
  );
  assert.equal(new Set(headings).size, headings.length, `${page} explains a code twice`);
});
