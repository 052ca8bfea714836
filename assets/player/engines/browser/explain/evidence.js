// What mattered for the words of a caption: capmodel/explain/evidence.py, with cells hidden in the grid.

/** @import { Memory, PlainEvidence, State } from '../types.d.ts' */
/** @import { Network } from '../network.js' */
/** @import { Tokenizer } from '../decoding/tokenizer.js' */
import { startState } from '../decoding/beam_search.js';
import { START } from '../decoding/tokenizer.js';

const BATCH = 33; // readers at a time: each has a memory of its own, of half a megabyte

/**
 * By how much each word gets less probable when a cell is hidden, and what it keeps when all are.
 *
 * @param {Network} network
 * @param {string} kind of attention
 * @param {Float32Array} grid (L, D)
 * @param {number} cells L
 * @param {Tokenizer} tokenizer
 * @param {string[]} words
 * @returns {Promise<PlainEvidence>}
 */
export async function gridEvidence(network, kind, grid, cells, tokenizer, words) {
  const pieces = words.map((word) => tokenizer.encode(word));
  const tokens = [START, ...pieces.flat()];
  const memory = await network.prepare(kind, grid, 1);
  const mean = { photos: 1, cells: meanRow(memory.cells, cells), keys: meanRow(memory.keys, cells) };
  // For each cell a reader from whom it is hidden; then one from whom all are, and one who sees all.
  const hidden = Array.from({ length: cells + 2 }, (_, reader) =>
    Array.from({ length: cells }, (_, cell) => reader === cell || reader === cells),
  );
  /** @type {Float64Array[]} */
  const logprobs = []; // of each reader, by word
  for (let at = 0; at < hidden.length; at += BATCH) {
    const some = withHidden(memory, mean, hidden.slice(at, at + BATCH));
    logprobs.push(...(await readWords(network, kind, some, tokens, pieces)));
  }
  const [blind, whole] = logprobs.slice(-2);
  const nats = new Float32Array(words.length * cells);
  for (let word = 0; word < words.length; word++)
    for (let cell = 0; cell < cells; cell++) nats[word * cells + cell] = whole[word] - logprobs[cell][word];
  return { nats, kept: words.map((_, word) => Math.exp(blind[word] - whole[word])) };
}

/**
 * @param {Float32Array} rows (L, N)
 * @param {number} count L
 */
function meanRow(rows, count) {
  const size = rows.length / count;
  const mean = new Float64Array(size);
  for (let at = 0; at < rows.length; at++) mean[at % size] += rows[at] / count;
  return Float32Array.from(mean);
}

/**
 * The memory of readers who find the grid's mean in the cells that are hidden from them: what is linear in a cell's
 * vector is for the mean vector the mean.
 *
 * @param {Memory} memory of one photo
 * @param {Memory} mean its mean cell
 * @param {boolean[][]} hidden (B, L)
 * @returns {Memory}
 */
function withHidden(memory, mean, hidden) {
  /**
   * @param {Float32Array} rows
   * @param {Float32Array} row
   */
  const fill = (rows, row) => {
    const all = new Float32Array(hidden.length * rows.length);
    for (const [reader, cells] of hidden.entries()) {
      all.set(rows, reader * rows.length);
      for (const [cell, isHidden] of cells.entries())
        if (isHidden) all.set(row, reader * rows.length + cell * row.length);
    }
    return all;
  };
  return { photos: hidden.length, cells: fill(memory.cells, mean.cells), keys: fill(memory.keys, mean.keys) };
}

/**
 * The log-probability of each word for each of B readers, who all read the same caption.
 *
 * @param {Network} network
 * @param {string} kind
 * @param {Memory} memory
 * @param {number[]} tokens the caption's, after `START`
 * @param {number[][]} pieces the tokens of each word
 */
async function readWords(network, kind, memory, tokens, pieces) {
  const read = network.reader(kind, memory);
  const wordOf = pieces.flatMap((each, word) => each.map(() => word));
  const found = Array.from({ length: memory.photos }, () => new Float64Array(pieces.length));
  /** @type {State} */
  let state = startState(memory.photos, network.hidden);
  for (const [at, word] of wordOf.entries()) {
    const step = await read(new Int32Array(memory.photos).fill(tokens[at]), state);
    const vocabulary = step.logprobs.length / memory.photos;
    for (const [reader, sums] of found.entries()) sums[word] += step.logprobs[reader * vocabulary + tokens[at + 1]];
    state = step;
  }
  return found;
}
