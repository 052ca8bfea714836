// From the model's numbers to the overlay over the photo. The same drawing as in capmodel/output/overlay.py.

/** @import { Caption, Constants, Drawing, Evidence, WordMap } from '../../types.d.ts' */

const FINE = 64; // a drawing has at least so many pixels along a side

/**
 * Pixels along a side of a drawing: a multiple of the grid's side, so that all cells are equally large.
 * @param {number} side
 */
export const fineSide = (side) => side * Math.ceil(FINE / side);

/**
 * Catmull-Rom weights, side -> fine: at the middle of a cell the cell's own value.
 *
 * @param {number} side
 * @returns {[cell: number, weight: number][][]} for each pixel the four cells that it mixes
 */
function taps(side) {
  const fine = fineSide(side);
  return Array.from({ length: fine }, (_, pixel) => {
    const place = ((pixel + 0.5) * side) / fine - 0.5;
    const cell = Math.floor(place);
    const f = place - cell;
    const weights = [
      -0.5 * f ** 3 + f ** 2 - 0.5 * f,
      1.5 * f ** 3 - 2.5 * f ** 2 + 1,
      -1.5 * f ** 3 + 2 * f ** 2 + 0.5 * f,
      0.5 * f ** 3 - 0.5 * f ** 2,
    ];
    return weights.map((weight, k) => [Math.min(side - 1, Math.max(0, cell - 1 + k)), weight]);
  });
}

/**
 * A smooth drawing. It goes between square roots, as the overlay shows them: between the values themselves
 * there would be a dark hole beside a strong cell.
 *
 * @param {Float32Array} cells side * side numbers in times uniform
 * @param {number} side
 * @returns {Drawing}
 */
export function smooth(cells, side) {
  const fine = fineSide(side);
  const mixed = taps(side);
  const roots = cells.map(Math.sqrt);
  const across = new Float32Array(side * fine);
  const out = new Float32Array(fine * fine);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < fine; x++)
      for (const [cell, weight] of mixed[x]) across[y * fine + x] += weight * roots[y * side + cell];
  for (let y = 0; y < fine; y++)
    for (const [cell, weight] of mixed[y])
      for (let x = 0; x < fine; x++) out[y * fine + x] += weight * across[cell * fine + x];
  return out.map((value) => Math.max(0, value) ** 2);
}

/**
 * A drawing in which each cell is a square.
 *
 * @param {Float32Array} cells side * side numbers
 * @param {number} side
 * @returns {Drawing}
 */
export function blocks(cells, side) {
  const fine = fineSide(side);
  const size = fine / side;
  const out = new Float32Array(fine * fine);
  for (let y = 0; y < fine; y++)
    for (let x = 0; x < fine; x++) out[y * fine + x] = cells[Math.floor(y / size) * side + Math.floor(x / size)];
  return out;
}

/**
 * A smooth drawing of evidence: what speaks for the word and what against it are enlarged apart, so that no strong cell
 * gets a rim of the other sign.
 *
 * @param {Float32Array} cells side * side numbers in nats
 * @param {number} side
 * @returns {Drawing}
 */
export function smoothEvidence(cells, side) {
  const against = smooth(
    cells.map((value) => Math.max(0, -value)),
    side,
  );
  return smooth(
    cells.map((value) => Math.max(0, value)),
    side,
  ).map((value, i) => value - against[i]);
}

/** @type {WeakMap<Caption | Evidence, WordMap[]>} */
const unpacked = new WeakMap();

/**
 * The map of each word of a caption.
 *
 * @param {Caption} caption
 * @param {number} side cells along a side of the model's grid
 * @returns {WordMap[]}
 */
export function unpack(caption, side) {
  const known = unpacked.get(caption);
  if (known) return known;
  const maps = read(caption.weights, caption.words.length, side).map((weights) => {
    const cells = weights.map((weight) => weight * side * side); // times uniform
    return { cells, peak: Math.max(...cells), smooth: smooth(cells, side), blocks: blocks(cells, side) };
  });
  unpacked.set(caption, maps);
  return maps;
}

/**
 * What mattered for each word of a caption.
 *
 * @param {Caption} caption
 * @param {Evidence} evidence its own
 * @param {number} side cells along a side of the model's grid
 * @returns {WordMap[]}
 */
export function unpackEvidence(caption, evidence, side) {
  const known = unpacked.get(evidence);
  if (known) return known;
  const maps = read(evidence.nats, caption.words.length, side).map((cells) => {
    return { cells, peak: Math.max(...cells), smooth: smoothEvidence(cells, side), blocks: blocks(cells, side) };
  });
  unpacked.set(evidence, maps);
  return maps;
}

/**
 * @param {string} packed base64 of little-endian float32
 * @returns {Float32Array<ArrayBuffer>}
 */
export const unpackNumbers = (packed) =>
  new Float32Array(Uint8Array.from(atob(packed), (char) => char.charCodeAt(0)).buffer);

/**
 * The numbers of each word.
 *
 * @param {string} packed base64 of little-endian float32 (words, side * side)
 * @param {number} words
 * @param {number} side
 */
function read(packed, words, side) {
  const count = side * side;
  const all = unpackNumbers(packed);
  if (all.length !== count * words)
    throw new Error(`${words} maps of ${side}×${side} cells do not have ${all.length} numbers.`);
  return Array.from({ length: words }, (_, k) => all.slice(k * count, (k + 1) * count));
}

/**
 * Between two drawings: share 0 is the first, 1 the second. The second, where they have other sizes.
 *
 * @param {Drawing | null} from
 * @param {Drawing} to
 * @param {number} share
 */
export const mix = (from, to, share) =>
  from?.length === to.length && share < 1 ? to.map((value, i) => from[i] + (value - from[i]) * share) : to;

/**
 * Over how many cells a map is spread: the exponential of its entropy. 1 if it is all on one cell.
 * @param {Float32Array} cells in times uniform
 */
export function spread(cells) {
  const count = cells.length;
  return Math.exp(cells.reduce((sum, value) => sum - (value ? (value / count) * Math.log(value / count) : 0), 0));
}

/**
 * The fewest cells that hold half of a word's attention, but no more than a quarter of the photo.
 *
 * @param {Float32Array} cells in times uniform
 * @returns {Set<number>}
 */
export function attended(cells) {
  /** @type {Set<number>} */
  const picked = new Set();
  let sum = 0;
  for (const cell of [...cells.keys()].sort((a, b) => cells[b] - cells[a])) {
    if (sum >= cells.length / 2 || picked.size >= cells.length / 4) break;
    picked.add(cell);
    sum += cells[cell];
  }
  return picked;
}

/**
 * The overlay's pixels: it thins with the square root of attention, as eyes see light, up to the scale's top.
 *
 * @param {Drawing} drawing
 * @param {number} top in times uniform
 * @param {Pick<Constants, 'overlay_color' | 'opacity'>} constants
 * @returns {Uint8ClampedArray<ArrayBuffer>} red, green, blue and opacity of each pixel
 */
export function overlayPixels(drawing, top, { overlay_color, opacity }) {
  const pixels = new Uint8ClampedArray(4 * drawing.length);
  const [red, green, blue] = overlay_color;
  for (let i = 0, at = 0; i < drawing.length; i++, at += 4) {
    pixels[at] = red;
    pixels[at + 1] = green;
    pixels[at + 2] = blue;
    pixels[at + 3] = 255 * opacity * (1 - Math.sqrt(Math.min(1, drawing[i] / top)));
  }
  return pixels;
}

/**
 * The overlay's pixels for evidence: it thins where a cell speaks for the word, and is tinted where one speaks against
 * it. Both grow linearly: with square roots, a little evidence against the word would tint half the photo.
 *
 * @param {Drawing} drawing
 * @param {number} top in nats
 * @param {Pick<Constants, 'overlay_color' | 'against_color' | 'opacity'>} constants
 * @returns {Uint8ClampedArray<ArrayBuffer>} red, green, blue and opacity of each pixel
 */
export function evidencePixels(drawing, top, { overlay_color, against_color, opacity }) {
  const pixels = new Uint8ClampedArray(4 * drawing.length);
  for (let i = 0, at = 0; i < drawing.length; i++, at += 4) {
    const strength = Math.min(1, Math.abs(drawing[i]) / top);
    const tint = drawing[i] < 0 ? strength : 0;
    for (let k = 0; k < 3; k++) pixels[at + k] = overlay_color[k] + tint * (against_color[k] - overlay_color[k]);
    pixels[at + 3] = 255 * opacity * (drawing[i] > 0 ? 1 - strength : 1);
  }
  return pixels;
}
