/**
 * Topics as one process sees them. The log may be held by a process beside it: then what it answers waits for this one to
 * be awake, never arrives when it is dead, and may be lost on the way. How far each partition has been read is noted, to
 * see when all is.
 */
import type { PartitionReader, TopicLog } from '../../topic/topic-log.ts';
import type { Process } from './process.ts';

/** How far one process has read, by topic and partition. */
export class Reading {
  readonly #at = new Map<string, { readonly topic: string; readonly partition: number; next: number }>();

  note(topic: string, partition: number, next: number): void {
    this.#at.set(`${topic}-${partition}`, { topic, partition, next });
  }

  get partitions(): readonly { readonly topic: string; readonly partition: number; readonly next: number }[] {
    return [...this.#at.values()];
  }
}

/** `losesAnswers`: what is asked just now is done, and nobody learns of it. */
export function seenFrom(process: Process, log: TopicLog, reading: Reading, losesAnswers: () => boolean): TopicLog {
  const seen = guarded({ process, losesAnswers }, log);
  return {
    ...seen,
    read(topic, partition, from, arrived) {
      reading.note(topic, partition, from);
      const reader = log.read(topic, partition, from, () => process.enter(arrived));
      return noting(reader, (next) => reading.note(topic, partition, next));
    },
  };
}

function noting(reader: PartitionReader, note: (next: number) => void): PartitionReader {
  return {
    take() {
      const taken = reader.take();
      // What was taken before is given on by now.
      if (!taken.outOfRange && taken.records.length === 0) note(taken.next);
      return taken;
    },
    seek: (offset) => reader.seek(offset),
    pause: () => reader.pause(),
    resume: () => reader.resume(),
    close: () => reader.close(),
  };
}

interface Link {
  readonly process: Process;
  readonly losesAnswers: () => boolean;
}

/** The same object over a link: each call is a step of the process, each answer one that it may get or not. */
function guarded<T extends object>(link: Link, whole: T): T {
  const members = Object.entries(whole).map(([name, member]) => [
    name,
    typeof member === 'function' ? guardedCall(link, whole, member as Call) : member,
  ]);
  return Object.fromEntries(members) as T;
}

type Call = (...given: unknown[]) => unknown;

function guardedCall(link: Link, whole: object, call: Call): Call {
  const { process, losesAnswers } = link;
  const passed = (result: unknown) => (isParty(result) ? guarded(link, result) : result);
  return (...given) => {
    process.step();
    const result = call.apply(whole, given);
    if (!(result instanceof Promise)) return passed(result);
    const answer = process.answer(result).then(passed);
    if (!losesAnswers()) return answer;
    return answer.then(() => Promise.reject(new Error("the log's answer was lost")));
  };
}

/** Something that is called again, and no data. */
function isParty(result: unknown): result is object {
  if (typeof result !== 'object' || result === null) return false;
  const values = Object.values(result);
  return values.length > 0 && values.every((member) => typeof member === 'function');
}
