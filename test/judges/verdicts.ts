/** Judges as tests: each judge is a test, each of its checks a subtest; a judge that cannot be here is skipped with its reason. */
import { type TestContext, test } from 'node:test';
import { ask, judges } from './judges.ts';

/** At a time; most of what a judge does is wait for the others of its group. */
const atOnce = 3;

export function hear(against: string, bootstrap: () => string): void {
  test(against, { concurrency: atOnce }, async (t) => {
    await Promise.all(judges.map((judge) => t.test(judge.name, (own) => hearOne(own, judge, bootstrap()))));
  });
}

async function hearOne(t: TestContext, judge: (typeof judges)[number], bootstrap: string): Promise<void> {
  const reason = judge.missing();
  if (reason !== undefined) {
    t.skip(reason);
    return;
  }
  for (const { check, result, why } of await ask(judge, bootstrap)) {
    await t.test(check, (one) => {
      if (result === 'skip') one.skip(why);
      if (result === 'not ok') throw new Error(why);
    });
  }
}
