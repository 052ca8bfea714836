// Random numbers that Python draws, too: capmodel/explain/draws.py.

/**
 * Draws without replacement, by the first steps of a Fisher-Yates shuffle.
 *
 * @param {number[]} values changed
 * @param {number} count
 * @param {() => number} random a whole number of 32 bits
 */
export function draw(values, count, random) {
  for (let at = 0; at < count; at++) {
    const other = at + (random() % (values.length - at));
    [values[at], values[other]] = [values[other], values[at]];
  }
  return values.slice(0, count);
}

/**
 * Mulberry32, a generator of whole numbers of 32 bits.
 *
 * @param {number} seed
 * @returns {() => number}
 */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
}
