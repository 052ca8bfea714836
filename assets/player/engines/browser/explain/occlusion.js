// What becomes of a word when cells of the photo are hidden: capmodel/explain/occlusion.py.

import { startState } from '../decoding/beam_search.js';
/** @import { Network } from '../network.js' */
/** @import { Tokenizer } from '../decoding/tokenizer.js' */
import { START } from '../decoding/tokenizer.js';
import { draw, generator } from './random.js';

export const DRAWS = 5; // random sets of cells

/**
 * Sets of random cells, none of them chosen, as many as were chosen or as there are.
 *
 * @param {number[]} chosen
 * @param {number} count cells of the grid
 */
export function randomCells(chosen, count) {
  const others = Array.from({ length: count }, (_, cell) => cell).filter((cell) => !chosen.includes(cell));
  const random = generator(0);
  return Array.from({ length: DRAWS }, () => draw([...others], Math.min(chosen.length, others.length), random));
}

/**
 * A copy of a photo in which some cells have the mean colour of the whole photo.
 *
 * @param {Uint8Array} square RGB, (S, S, 3)
 * @param {number[]} cells
 * @param {number} side of the grid
 */
export function hideCells(square, cells, side) {
  const size = Math.sqrt(square.length / 3);
  const edges = Array.from({ length: side + 1 }, (_, cell) => Math.round((size * cell) / side));
  const mean = meanColor(square);
  const hidden = square.slice();
  for (const cell of cells) {
    const [row, column] = [Math.floor(cell / side), cell % side];
    for (let y = edges[row]; y < edges[row + 1]; y++)
      for (let x = edges[column]; x < edges[column + 1]; x++) hidden.set(mean, 3 * (y * size + x));
  }
  return hidden;
}

/** @param {Uint8Array} square */
function meanColor(square) {
  const sums = [0, 0, 0];
  for (let at = 0; at < square.length; at++) sums[at % 3] += square[at];
  return sums.map((sum) => Math.round((3 * sum) / square.length));
}

/**
 * A grid in which every cell is the mean of a grid's cells.
 *
 * @param {Float32Array} grid (L, D)
 * @param {number} cells L
 */
export function meanGrid(grid, cells) {
  const size = grid.length / cells;
  const mean = new Float64Array(size);
  for (let at = 0; at < grid.length; at++) mean[at % size] += grid[at] / cells;
  const out = new Float32Array(grid.length);
  for (let cell = 0; cell < cells; cell++) out.set(mean, cell * size);
  return out;
}

/**
 * The probability of a caption's word given the words before it, for each of B grids.
 *
 * @param {Network} network
 * @param {string} kind of attention
 * @param {Float32Array[]} grids
 * @param {Tokenizer} tokenizer
 * @param {string[]} words
 * @param {number} index
 * @returns {Promise<number[]>}
 */
export async function wordProbability(network, kind, grids, tokenizer, words, index) {
  const before = tokenizer.encode(words.slice(0, index).join(' '));
  const tokens = [START, ...before, ...tokenizer.encode(words[index])];
  const all = new Float32Array(grids.length * grids[0].length);
  for (const [at, grid] of grids.entries()) all.set(grid, at * grid.length);
  const read = network.reader(kind, await network.prepare(kind, all, grids.length));
  /** @type {import('../types.d.ts').State} */
  let state = startState(grids.length, network.hidden);
  const sums = grids.map(() => 0);
  for (let at = 0; at + 1 < tokens.length; at++) {
    const step = await read(new Int32Array(grids.length).fill(tokens[at]), state);
    const vocabulary = step.logprobs.length / grids.length;
    if (at >= before.length)
      for (const row of sums.keys()) sums[row] += step.logprobs[row * vocabulary + tokens[at + 1]];
    state = step;
  }
  return sums.map(Math.exp);
}
