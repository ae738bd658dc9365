import { features } from './features.ts';
import type { Scenario } from './scenario.ts';
import { manyWords, wordCount } from './word-count.ts';

export const scenarios: readonly Scenario[] = [wordCount, manyWords, features];

export function scenarioNamed(name: string): Scenario {
  const found = scenarios.find((one) => one.name === name);
  if (found === undefined) throw new Error(`there is no '${name}', but ${scenarios.map((one) => one.name).join(', ')}`);
  return found;
}
