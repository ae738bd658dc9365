import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Timers } from '../runtime/runtime.ts';
import { liveScreen } from './screen.ts';

/** Timers that run when told, and a terminal that understands what a screen writes: text, cursor up, clearing. */
function terminal(columns = 20, rows = 10) {
  const due: (() => void)[] = [];
  const timers: Timers = {
    after: (_ms, callback) => {
      due.push(callback);
      return () => void due.splice(due.indexOf(callback), 1);
    },
    soon: (callback) => void due.push(callback),
  };
  const lines: string[] = [''];
  let row = 0;
  let writes = 0;
  const state = { cursor: true, columns, rows };
  let column = 0;
  const obey = (parameter: string, letter: string): void => {
    if (letter === 'A') row = Math.max(0, row - Number(parameter));
    else if (letter === 'J') lines.splice(row, lines.length, lines[row]!.slice(0, column));
    else if (letter === 'K') lines[row] = lines[row]!.slice(0, column);
    else if (parameter === '?25') state.cursor = letter === 'h';
  };
  const write = (text: string): void => {
    writes++;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is parsed here
    for (const [part, parameter, letter] of text.matchAll(/\x1b\[([?\d;]*)([A-Za-z])|\n|\r|[^\x1b\n\r]+/g)) {
      if (letter !== undefined) {
        obey(parameter!, letter);
      } else if (part === '\n' || part === '\r') {
        if (part === '\n') row++;
        lines[row] ??= '';
        column = 0;
      } else {
        const line = lines[row]!;
        lines[row] = line.slice(0, column) + part + line.slice(column + part.length);
        column += part.length;
      }
    }
  };
  const canvas = {
    isTTY: true,
    write,
    get columns() {
      return state.columns;
    },
    get rows() {
      return state.rows;
    },
  };
  return {
    screen: liveScreen(canvas, timers),
    state,
    frame: () => due.splice(0).forEach((run) => void run()),
    shown: () => lines.slice(0, -1),
    get writes() {
      return writes;
    },
  };
}

test('sections are repainted in place, in the order they first came, and logged lines stay above', () => {
  const { screen, frame, shown } = terminal();
  screen.log('starting');
  screen.set('a', ['a1', 'a2 is long']);
  screen.set('b', ['b1']);
  frame();
  assert.deepEqual(shown(), ['starting', 'a1', 'a2 is long', 'b1']);
  screen.log('something happened');
  screen.set('a', ['a9']);
  frame();
  assert.deepEqual(shown(), ['starting', 'something happened', 'a9', 'b1']);
  screen.set('a', []);
  frame();
  assert.deepEqual(shown(), ['starting', 'something happened', 'b1']);
});

test('any number of changes between two frames is one write', () => {
  const view = terminal();
  for (let i = 0; i < 100; i++) view.screen.set('n', [`${i}`]);
  view.frame();
  assert.equal(view.writes, 1);
  assert.deepEqual(view.shown(), ['99']);
});

test('lines are cut to the terminal, and a block taller than it says how much is missing', () => {
  const { screen, frame, shown } = terminal(6, 4);
  screen.set('a', ['1234567', '2', '3', '4', '5']);
  frame();
  assert.deepEqual(shown(), ['12345…', '2', '… 3 more lines']);
});

test('a terminal of unknown size is taken for one of 80 by 24', () => {
  const { screen, frame, shown } = terminal(0, 0);
  screen.set('a', ['a'.repeat(80), 'b']);
  frame();
  assert.deepEqual(shown(), ['a'.repeat(80), 'b']);
});

test('the cursor is hidden while painting and given back at the end, with the last frame', () => {
  const { screen, frame, shown, state } = terminal();
  screen.set('a', ['1']);
  frame();
  assert.equal(state.cursor, false);
  screen.set('a', ['2']);
  screen.close();
  assert.equal(state.cursor, true);
  assert.deepEqual(shown(), ['2']);
  screen.set('a', ['3']);
  frame();
  assert.deepEqual(shown(), ['2']);
});

test('after the terminal became narrower the whole wrapped block is replaced', () => {
  const written: string[] = [];
  const due: (() => void)[] = [];
  const canvas = { isTTY: true, columns: 20, rows: 10, write: (text: string) => written.push(text) };
  const after: Timers['after'] = (_ms, run) => {
    due.push(run);
    return () => {};
  };
  const screen = liveScreen(canvas, { after, soon: () => assert.fail() });
  screen.set('a', ['123456789012', 'x']);
  due.pop()!();
  canvas.columns = 5;
  screen.set('a', ['y']);
  due.pop()!();
  assert.ok(written[1]!.includes('\x1b[4A'), JSON.stringify(written[1]));
});

test('in a pipe only changed lines are printed, plainly', () => {
  const written: string[] = [];
  const screen = liveScreen(
    { write: (text) => written.push(text) },
    { after: () => assert.fail(), soon: () => assert.fail() },
  );
  screen.set('a', ['\x1b[1mtop\x1b[0m', 'one 1', 'two 1']);
  screen.set('a', ['\x1b[1mtop\x1b[0m', 'one 1', 'two 2']);
  screen.log('note');
  screen.close();
  assert.deepEqual(written, ['top\n', 'one 1\n', 'two 1\n', 'two 2\n', 'note\n']);
});

test('a screen says whether its sections are repainted in place', () => {
  assert.equal(terminal().screen.live, true);
  assert.equal(liveScreen({ write: () => {} }, { after: () => () => {}, soon: () => {} }).live, false);
});
