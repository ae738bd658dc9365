/**
 * Random numbers from a seed: Chris Doty-Humphrey's sfc32 (PractRand), 53 bits per number, its state filled by
 * splitmix32 so that close seeds give unlike sequences. The sequence of a seed must never change: seeds are written down
 * in bug reports.
 */
export function seededRandom(seed: number): () => number {
  const [a, b, c] = filled(seed);
  const next = sfc32(a, b, c);
  for (let i = 0; i < 12; i++) next();
  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

/** Every bit of the seed counts, the ones above 32 too. */
function filled(seed: number): readonly [number, number, number] {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, seed);
  let state = Math.imul(bits.getUint32(0), 0x9e3779b1) ^ bits.getUint32(4);
  const splitmix32 = () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return mixed ^ (mixed >>> 15);
  };
  return [splitmix32(), splitmix32(), splitmix32()];
}

function sfc32(a: number, b: number, c: number): () => number {
  let counter = 1;
  return () => {
    const out = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + out) | 0;
    return out;
  };
}
