/** Explanations as plain sentences: for the command line and the log. */
import { formatDuration, formatTime } from '../duration.ts';
import type { AskedTimer, Explanation, Holder, HoldingSplit, Moment, TaskPlace, Wait } from './explanation.ts';

/** Holders that are named besides the first. */
const NAMED = 3;

/** What waits; who holds it; what would let it go. One sentence or two each. */
export function explanationText(explanation: Explanation): readonly string[] {
  const { state, holders, timer } = explanation;
  if (state === 'passed')
    return [
      `Event time has passed ${momentText(timer!.time)}: no timer up to it is left in ${whereText(explanation)}.`,
    ];
  const [first, ...others] = holders;
  const said = [subjectText(explanation)];
  if (first === undefined) return [...said, 'Nothing holds it now: ask again.'];
  if (state === 'due') return [...said, dueText(first)];
  said.push(holderText(first, explanation.at));
  if (first.path.length > 2) said.push(`The way: ${first.path.map(placeText).join(' ← ')}.`);
  if (others.length > 0) said.push(othersText(others, state));
  if (timer !== undefined) said.push(remedyText(explanation, timer.time));
  return said;
}

/** Who holds event time, in a few words. */
export function holderName({ component, task, split, waits, clock }: Holder): string {
  if (split !== undefined)
    return `split '${split.split}' of '${component}'${split.idle ? ', idle' : ''}${split.newest === 'not begun' ? ', without records' : ''}`;
  const wait = clock !== undefined ? 'idle, by the clock' : waits[0] && waitText(waits[0]);
  return `'${component}' task ${task}${wait === undefined ? '' : `: ${wait}`}`;
}

export function momentText(moment: Moment): string {
  if (moment === 'not begun') return 'not begun';
  return moment === 'the end' ? 'the end of the input' : formatTime(moment);
}

function subjectText(explanation: Explanation): string {
  const { timer, state, component, watermark, tasks } = explanation;
  if (timer === undefined) {
    const where = tasks.length > 1 ? `any of the ${tasks.length} tasks of '${component}'` : `'${component}'`;
    return `No event timer is set in ${where}: none was, or all have been told. Event time ${cameText(watermark)}.`;
  }
  const what = `${timerText(timer)} in ${whereText(explanation)}`;
  if (state === 'due') return `${what} is due: event time ${cameText(watermark)}.`;
  return `${what} waits for event time, which ${cameText(watermark)}${behindText(watermark, timer.time)}.`;
}

function timerText({ name, key, time }: AskedTimer): string {
  return name === undefined
    ? `The time ${momentText(time)}`
    : `The timer '${name}' of ${momentText(time)} for key ${key === '' ? "''" : key}`;
}

function whereText({ component, tasks, timer }: Explanation): string {
  return tasks.length > 1 ? `task ${timer!.task} of '${component}'` : `'${component}'`;
}

function cameText(watermark: Moment): string {
  return watermark === 'not begun' ? 'has not begun there' : `has come to ${momentText(watermark)} there`;
}

function behindText(watermark: Moment, time: Moment): string {
  return typeof watermark === 'number' && typeof time === 'number'
    ? `, ${formatDuration(time - watermark)} short of it`
    : '';
}

function dueText({ waits }: Holder): string {
  return waits.length === 0 ? 'It will be told in a moment.' : `It waits, as ${waits.map(waitText).join(', and ')}.`;
}

function holderText(holder: Holder, at: number): string {
  const { split, waits, clock, watermark } = holder;
  const also = waits.length > 0 ? ` It gives nothing now, as ${waits.map(waitText).join(', and ')}.` : '';
  if (split !== undefined) return `${splitText(holder, split, at)}${also}`;
  const place = `Task ${holder.task} of '${holder.component}'`;
  if (clock !== undefined)
    return `All splits of ${place.toLowerCase()} are idle, and its event time follows the clock.`;
  const why = waits.length > 0 ? ` ${waits.map(waitText).join(', and ')}` : ' it is busy';
  return `${place} holds it at ${momentText(watermark)}:${why}.`;
}

function splitText({ component, task, watermark }: Holder, split: HoldingSplit, at: number): string {
  const { newest, since, idle, farAhead } = split;
  const name = `Split '${split.split}' of '${component}' (task ${task})`;
  const ago = `since ${formatTime(since)}, ${formatDuration(at - since)} ago`;
  const state = idle
    ? ', and it is idle'
    : farAhead
      ? ', and it is paused: too far ahead of the slowest split (time.align)'
      : '';
  if (newest === 'not begun') return `${name} holds it: it has given no record yet, ${ago}${state}.`;
  if (watermark === 'not begun')
    return `${name} holds it: its watermark rule has told no watermark yet; its newest record is of ${momentText(newest)}${state}.`;
  return `${name} holds it at ${momentText(watermark)}, ${ago}; its newest record is of ${momentText(newest)}${state}.`;
}

function othersText(others: readonly Holder[], state: Explanation['state']): string {
  const named = others.slice(0, NAMED).map((holder) => `${holderName(holder)} (${momentText(holder.watermark)})`);
  const more = others.length > NAMED ? `, and ${others.length - NAMED} more` : '';
  return `${state === 'idle' ? 'So are' : 'So do'} ${named.join(', ')}${more}.`;
}

function remedyText({ holders, state, timer }: Explanation, time: Moment): string {
  const what = timer!.name === undefined ? 'It is reached' : 'It is told';
  if (time === 'the end') return `${what} at the end of the input.`;
  const all = holders.length > 1;
  if (state === 'idle') {
    const who = all ? 'one of them' : 'it';
    return `${what} when ${who} gives ${recordText(holders)}, or the input ends; or event time goes on with the clock, with time.whenIdle: 'clock'.`;
  }
  const [first] = holders as [Holder];
  if (all)
    return `${what} when each of them has let go: a split by ${recordText(holders)}, by falling idle, or by its end.`;
  if (first.clock !== undefined)
    return `${what} when the clock comes to ${formatTime(first.clock)}, or the input ends.`;
  if (first.split === undefined) return `${what} when that is over.`;
  const { idleIn } = first.split;
  const idle = idleIn === undefined ? '' : `, or is silent for ${formatDuration(idleIn)} more and falls idle`;
  return `${what} when it gives ${recordText(holders)}${idle}, or ends.`;
}

/** The record that would do, for all splits that hold. */
function recordText(holders: readonly Holder[]): string {
  const needs = new Set(holders.flatMap(({ split }) => split?.needs ?? []));
  const [one] = needs;
  if (one === undefined) return 'records by which its rule tells a watermark that is late enough';
  return needs.size === 1
    ? `a record of ${formatTime(one)} or later`
    : `a record of ${formatTime(Math.max(...needs))} or later`;
}

function waitText(wait: Wait): string {
  switch (wait.kind) {
    case 'retries':
      return `${counted(wait.inputs, 'input')} before it ${wait.inputs === 1 ? 'is' : 'are'} being retried`;
    case 'timers':
      return wait.failures === 0
        ? 'event timers are being told'
        : `an event timer is told again, as its handler threw ${counted(wait.failures, 'time')}`;
    case 'calls':
      return `${counted(wait.inputs, 'call')} before it ${wait.inputs === 1 ? 'has' : 'have'} not ended`;
    case 'held':
      return `${counted(wait.inputs, 'tuple')} before it ${wait.inputs === 1 ? 'is' : 'are'} neither acked nor failed`;
    case 'generator':
      return 'a generator before it has not given all its values';
    case 'full':
      return `the queue of ${wait.components.map((component) => `'${component}'`).join(' and ')} is full`;
    case 'inactive':
      return 'the spouts are deactivated';
    case 'pending':
      return `${counted(wait.tuples, 'tuple')} are pending, as many as maxPending allows`;
    case 'ending':
      return `its source has ended, and ${counted(wait.tuples, 'tuple')} of it ${wait.tuples === 1 ? 'is' : 'are'} under way`;
  }
}

function placeText({ component, task }: TaskPlace): string {
  return `${component} ${task}`;
}

function counted(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
