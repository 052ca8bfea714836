// Did a word look where it mattered? capmodel/explain/agreement.py and capmodel/output/sentences.py, with their numbers.

/** @import { Agreement } from '../../../types.d.ts' */

/** @typedef {'same place' | 'other place' | 'whole photo' | 'no place'} Answer */
/** @typedef {[row: string, column: string]} Place */
/** @typedef {Float32Array | number[]} Values */

const ROWS = ['top', 'middle', 'bottom'];
const COLUMNS = ['left', 'centre', 'right'];

/**
 * Compares where a word looked with its evidence.
 *
 * @param {Values} weights side * side
 * @param {Values} nats side * side
 * @param {number} kept the share of its probability that the word keeps when all cells are hidden
 * @param {Agreement} limits
 * @returns {{ answer: Answer, looked: Place, mattered: Place | null }}
 */
export function compareMaps(weights, nats, kept, limits) {
  const looked = strongest(weights, limits.strongest);
  const mattered = strongest(nats, limits.strongest);
  const both = [...looked].filter((cell) => mattered.has(cell)).length;
  const lookedAt = place(weights, looked);
  const hungOn = mattered.size ? place(nats, mattered) : null;
  const sum = [...mattered].reduce((total, cell) => total + nats[cell], 0);
  const there = { looked: lookedAt, mattered: hungOn };
  if (sum < limits.place_matters)
    return { answer: kept >= limits.photo_matters ? 'no place' : 'whole photo', ...there };
  const same = both / looked.size >= limits.overlap || String(lookedAt) === String(hungOn);
  return { answer: same ? 'same place' : 'other place', ...there };
}

/**
 * The highest cells; fewer if fewer are positive.
 *
 * @param {Values} values
 * @param {number} share
 */
function strongest(values, share) {
  const positive = [...values.keys()].filter((cell) => values[cell] > 0);
  const order = positive.sort((a, b) => values[b] - values[a] || a - b);
  return new Set(order.slice(0, Math.max(1, Math.round(share * values.length))));
}

/**
 * The ninth of the photo with the highest sum.
 *
 * @param {Values} values
 * @param {Set<number>} cells those that count
 * @returns {Place}
 */
function place(values, cells) {
  const side = Math.sqrt(values.length);
  const third = (/** @type {number} */ at) => Math.floor(((at + 0.5) * 3) / side);
  const sums = new Float64Array(9);
  for (const cell of [...cells].sort((a, b) => a - b))
    sums[3 * third(Math.floor(cell / side)) + third(cell % side)] += values[cell];
  const best = sums.indexOf(Math.max(...sums));
  return [ROWS[Math.floor(best / 3)], COLUMNS[best % 3]];
}

/**
 * Says how a word's two maps agree.
 *
 * @param {ReturnType<typeof compareMaps>} agreement
 * @param {boolean} first it is the caption's first word
 */
export function sentence({ answer, looked, mattered }, first) {
  if (answer === 'same place') return 'It looked where it mattered.';
  if (answer === 'other place' && mattered)
    return `It looked at the ${nameOf(looked)}, but the ${nameOf(mattered)} mattered.`;
  if (answer === 'whole photo') return 'No single place mattered, but the photo as a whole did.';
  return first
    ? 'No place mattered: it would have begun like this anyway.'
    : 'No place mattered: the words before it were enough.';
}

/**
 * A ninth of the photo in words: "lower left", "top", "centre".
 * @param {Place} place
 */
function nameOf([row, column]) {
  if (column === 'centre') return row === 'middle' ? 'centre' : row;
  if (row === 'middle') return `${column} side`;
  return `${row === 'top' ? 'upper' : 'lower'} ${column}`;
}
