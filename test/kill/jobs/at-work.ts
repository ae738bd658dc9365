/** How a job says on its standard output that it has begun to work; nothing where nobody has asked for it. */
import { writeSync } from 'node:fs';

/** The name of the environment variable that asks for it. */
export const TELLS = 'JOB_TELLS';
export const AT_WORK = 'at work';

const STANDARD_OUTPUT = 1;
let said = process.env[TELLS] === undefined;

export function sayAtWork(): void {
  if (said) return;
  said = true;
  writeSync(STANDARD_OUTPUT, `${AT_WORK}\n`);
}
