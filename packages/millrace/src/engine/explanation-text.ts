/** Explanations as plain sentences: for the command line and the log. */
import { formatDuration, formatTime } from '../duration.ts';
import type { AskedTimer, Explanation, Holder, HoldingSplit, Moment, TaskPlace, Wait } from './explanation.ts';

/** Holders that are named by name. */
const NAMED = 4;

/** What waits; who holds it; what would let it go. One sentence or two each. */
export function explanationText(explanation: Explanation): readonly string[] {
  const { state, holders, timer } = explanation;
  if (state === 'passed')
    return [
      `Event time has passed ${momentText(timer!.time)}: no timer up to it is left in ${whereText(explanation)}.`,
    ];
  const [first, ...others] = holders;
  const said = [subjectText(explanation)];
  if (timer?.domain === 'clock' && state === 'waiting') return [...said, clockText(timer, explanation.at)];
  if (first === undefined) return [...said, 'Nothing holds it now: ask again.'];
  if (state === 'due') return [...said, dueText(first)];
  if (allIdle(explanation)) said.push(`It stands, as all sources are idle: ${namesText(holders)}.`);
  else {
    said.push(holderText(first, explanation.at));
    if (first.path.length > 2) said.push(`The way: ${first.path.map(placeText).join(' ← ')}.`);
    if (others.length > 0) said.push(`${others.length === 1 ? 'So does' : 'So do'} ${namesText(others)}.`);
  }
  if (timer !== undefined) said.push(remedyText(explanation, timer.time));
  return said;
}

/** Who holds event time, in a few words. */
export function holderName({ component, task, split, waits, clock }: Holder): string {
  if (split !== undefined)
    return `split '${split.split}' of '${component}'${split.newest === 'not begun' ? ', without records' : ''}`;
  const wait = clock !== undefined ? 'idle, by the clock' : waits[0] && waitText(waits[0]);
  return `'${component}' task ${task}${wait === undefined ? '' : `: ${wait}`}`;
}

export function momentText(moment: Moment): string {
  if (moment === 'not begun') return 'not begun';
  return moment === 'the end' ? 'the end of the input' : formatTime(moment);
}

function subjectText(explanation: Explanation): string {
  const { timer, state, component, key, watermark, tasks } = explanation;
  if (timer === undefined) {
    const where = tasks.length > 1 ? `the ${tasks.length} tasks of '${component}'` : `'${component}'`;
    const of = key === undefined ? '' : ` for ${keyName(key)}`;
    return `Nothing waits in ${where}${of}: no window is open, and no timer is set. Event time ${cameText(watermark)}.`;
  }
  const what = `${timerText(timer)} in ${whereText(explanation)}`;
  if (timer.domain === 'clock') return `${what} waits for the clock, not for event time.`;
  if (state === 'due') return `${what} is due: event time ${cameText(watermark)}.`;
  return `${what} waits for event time, which ${cameText(watermark)}${behindText(watermark, timer.time)}.`;
}

function timerText({ name, key, time, window }: AskedTimer): string {
  if (name === undefined) return `The time ${momentText(time)}`;
  const of = keyName(key!);
  return window === undefined
    ? `The timer '${name}' of ${momentText(time)} for ${of}`
    : `The window of ${of} that is due at ${momentText(window)}`;
}

function keyName(key: string): string {
  return `key ${key === '' ? "''" : key}`;
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

function clockText({ time }: AskedTimer, at: number): string {
  return `It is due in ${formatDuration((time as number) - at)}.`;
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
  const where = watermark === 'not begun' ? '' : ` at ${momentText(watermark)}`;
  return `${place} holds it${where}:${why}.`;
}

function splitText({ component, task, watermark }: Holder, split: HoldingSplit, at: number): string {
  const { newest, since, farAhead } = split;
  const name = `Split '${split.split}' of '${component}' (task ${task})`;
  const ago = `since ${formatTime(since)}, ${formatDuration(at - since)} ago`;
  const state = farAhead ? ', and it is paused: too far ahead of the slowest split (time.align)' : '';
  if (newest === 'not begun') return `${name} holds it: it has given no record yet, ${ago}${state}.`;
  if (watermark === 'not begun')
    return `${name} holds it: its watermark rule has told no watermark yet; its newest record is of ${momentText(newest)}${state}.`;
  return `${name} holds it at ${momentText(watermark)}, ${ago}; its newest record is of ${momentText(newest)}${state}.`;
}

function namesText(holders: readonly Holder[]): string {
  const named = holders.slice(0, NAMED).map((holder) => `${holderName(holder)} (${momentText(holder.watermark)})`);
  return [...named, ...(holders.length > NAMED ? [`${holders.length - NAMED} more`] : [])].join(', ');
}

/** Sources that have ended, with tuples of theirs under way, hold nobody as long as there are others. */
function allIdle({ state, holders }: Explanation): boolean {
  return state === 'idle' && holders.some(({ split }) => split !== undefined);
}

function remedyText(explanation: Explanation, time: Moment): string {
  const { holders, timer } = explanation;
  const splits = holders.filter(({ split }) => split !== undefined);
  const { name, window } = timer!;
  const what = name === undefined ? 'It is reached' : window === undefined ? 'It is told' : 'It fires';
  const last = holders.length > 1;
  if (time === 'the end') return `${what} at the end of the input.`;
  if (allIdle(explanation)) {
    const who = last ? 'one of them' : 'it';
    return `${what} when ${who} gives ${recordText(splits)}, at the end of the input, or by the clock if the spout says time.whenIdle: 'clock'.`;
  }
  const [first] = holders as [Holder];
  if (!last && first.clock !== undefined) return `${what} when the clock comes to ${formatTime(first.clock)}.`;
  if (splits.length === 0) return `${what} when that is over.`;
  const silence = splits.map(({ split }) => split!.idleIn ?? Infinity).reduce((a, b) => Math.max(a, b));
  const idle = silence === Infinity ? 'falls idle' : `falls idle (with no more records in ${formatDuration(silence)})`;
  const rest = splits.length < holders.length ? ', and the rest is over' : '';
  return `${what} when ${last ? 'each split of them' : 'it'} gives ${recordText(splits)}, ${idle}, or ends${rest}.`;
}

/** The record that would do, whichever of the splits it comes from. */
function recordText(holders: readonly Holder[]): string {
  const needs = holders.map(({ split }) => split?.needs);
  const known = needs.filter((time) => time !== undefined);
  const record = known.length > 0 ? `a record of ${formatTime(Math.max(...known))} or later` : undefined;
  const rule = `a record by which its own watermark rule comes so far`;
  if (record === undefined) return rule;
  return known.length === needs.length ? record : `${record} (or ${rule})`;
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
    case 'barrier':
      return `it is behind the barrier of a checkpoint that has not come on all inputs, and ${counted(wait.tuples, 'tuple')} with it`;
    case 'generator':
      return 'a generator before it has not given all its values';
    case 'full':
      return `the queue of ${wait.components.map((component) => `'${component}'`).join(' and ')} is full`;
    case 'inactive':
      return 'the spouts are deactivated';
    case 'pending':
      return `${counted(wait.tuples, 'tuple')} ${wait.tuples === 1 ? 'is' : 'are'} pending, as many as maxPending allows`;
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
