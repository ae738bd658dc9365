import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LineSplitter, textOf } from './line-splitter.ts';

interface Found {
  readonly line: string;
  readonly consumed: number;
  readonly tooLong: boolean;
}

function drain(splitter: LineSplitter): Found[] {
  const found: Found[] = [];
  while (splitter.take()) {
    found.push({ line: splitter.line.toString('latin1'), consumed: splitter.consumed, tooLong: splitter.tooLong });
  }
  return found;
}

function split(pieces: readonly string[], limit = 100): Found[] {
  const splitter = new LineSplitter(limit);
  const found: Found[] = [];
  for (const piece of pieces) {
    splitter.push(Buffer.from(piece, 'latin1'));
    found.push(...drain(splitter));
  }
  splitter.end();
  found.push(...drain(splitter));
  assert.equal(splitter.unread, 0);
  return found;
}

const lines = (found: readonly Found[]) => found.map(({ line }) => line);

test('lines end with LF or CR LF; a CR elsewhere belongs to the line', () => {
  assert.deepEqual(lines(split(['a\nb\r\nc\rd\n\n\r\ne\r\r\n'])), ['a', 'b', 'c\rd', '', '', 'e\r']);
});

test('a line may arrive in any pieces', () => {
  assert.deepEqual(lines(split(['he', 'l', 'lo\nwor', 'ld\r', '\n', 'x', '\r', 'y\n'])), ['hello', 'world', 'x\ry']);
});

test('what is left without a line end is a line once the input has ended, and keeps its CR', () => {
  assert.deepEqual(lines(split(['a\nb'])), ['a', 'b']);
  assert.deepEqual(lines(split(['a\nb\r'])), ['a', 'b\r']);
  assert.deepEqual(lines(split([])), []);
});

test('tells how many bytes each line took', () => {
  assert.deepEqual(
    split(['ab\r\nc\n', 'd']).map(({ consumed }) => consumed),
    [4, 2, 1],
  );
});

test('of a line above the limit only the start is kept', () => {
  const long = { line: 'x'.repeat(10), tooLong: true };
  assert.deepEqual(split([`${'x'.repeat(11)}\nb\n`], 10), [
    { ...long, consumed: 12 },
    { line: 'b', tooLong: false, consumed: 2 },
  ]);
  assert.deepEqual(split(['xxxxxxx', 'xxxxxxx', 'xxxxxxx', '\r', '\nb'], 10), [
    { ...long, consumed: 23 },
    { line: 'b', tooLong: false, consumed: 1 },
  ]);
  for (const pieces of [['xxxxxxxxxx\r\n'], ['xxxxxxxxxx', '\r', '\n']]) {
    assert.deepEqual(split(pieces, 10), [{ line: 'x'.repeat(10), tooLong: false, consumed: 12 }]);
  }
});

test('of a line that does not end, no more than the limit is held', () => {
  const splitter = new LineSplitter(1000);
  for (let i = 0; i < 10_000; i++) {
    splitter.push(Buffer.from('xyz'));
    assert.equal(splitter.take(), false);
    assert.equal(splitter.unread, 0);
  }
  splitter.push(Buffer.from('\n'));
  assert.ok(splitter.take());
  assert.deepEqual([splitter.line.length, splitter.consumed], [1000, 30_001]);
  assert.ok(splitter.line.buffer.byteLength <= 1002, `${splitter.line.buffer.byteLength} bytes held`);
});

test('does not depend on where the pieces are cut', () => {
  const input = fc.array(fc.constantFrom('a', 'b', '\r', '\n'), { maxLength: 60 }).map((chars) => chars.join(''));
  fc.assert(
    fc.property(input, fc.array(fc.nat(7), { maxLength: 60 }), fc.integer({ min: 1, max: 6 }), (whole, cuts, limit) => {
      const pieces: string[] = [];
      let rest = whole;
      for (const cut of cuts) {
        pieces.push(rest.slice(0, cut));
        rest = rest.slice(cut);
      }
      pieces.push(rest);
      const found = split(pieces, limit);
      assert.deepEqual(found, split([whole], limit));
      assert.equal(
        found.reduce((sum, { consumed }) => sum + consumed, 0),
        whole.length,
      );
      const expected = whole.split('\n');
      const last = expected.pop()!;
      const model = [...expected.map((line) => line.replace(/\r$/, '')), ...(last === '' ? [] : [last])];
      assert.deepEqual(
        found,
        model.map((line, i) => ({
          line: line.slice(0, limit),
          tooLong: line.length > limit,
          consumed: found[i]!.consumed,
        })),
      );
    }),
  );
});

test('text that is not UTF-8 is told from text that holds a replacement character', () => {
  assert.equal(textOf(Buffer.from('grün 🌊')), 'grün 🌊');
  assert.equal(textOf(Buffer.from('\ufffd')), '\ufffd');
  assert.equal(textOf(Buffer.from([0x61, 0xff])), undefined);
});
