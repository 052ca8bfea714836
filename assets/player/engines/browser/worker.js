// The captioner in a worker: one question after the other, so one photo is computed at a time.

/** @import { Asked, PhotoFile, Questions, SearchOptions } from './types.d.ts' */
import { describe } from './decoding/describe.js';
import { Tokenizer } from './decoding/tokenizer.js';
import { gridEvidence } from './explain/evidence.js';
import { hideCells, meanGrid, randomCells, wordProbability } from './explain/occlusion.js';
import { loadRuntime, Network } from './network.js';
import { loadPhoto, loadPicture } from './photos/photo.js';
import { withoutAlpha } from './photos/squash.js';
import { Recent } from './recent.js';
import { GONE, Refusal } from './refusal.js';

const GRIDS = 24; // photos whose grids are kept, of half a megabyte each
const SQUARES = 120; // photos whose pixels are kept, of 200 kilobytes each

/** @type {Recent} */
const grids = new Recent(GRIDS); // Float32Array (L, D); half precision would change probabilities in their fourth digit
/** @type {Recent} */
const squares = new Recent(SQUARES); // Uint8Array (S, S, 3)

/** @type {typeof import('onnxruntime-web')} */
let ort;
/** @type {Network} */
let network;
/** @type {Tokenizer} */
let tokenizer;
/** @type {import('./types.d.ts').Exported} */
let exported;

/** @type {Questions} */
const questions = {
  async start({ script, binary, threads, encoder, webgpu, ...rest }) {
    exported = rest.exported;
    ort = await loadRuntime(script, binary, threads);
    network = await Network.load(ort, encoder, exported.sizes, webgpu);
    tokenizer = new Tokenizer(exported);
    return { threads: ort.env.wasm.numThreads ?? 1 };
  },

  addDecoder: ({ kind, prepare, step }) => network.addDecoder(kind, prepare, step),

  async caption({ kind, file }) {
    const { square, preview } = await loadPhoto(file, exported.sizes.image);
    const photo = nameOf(square);
    squares.set(photo, square);
    const [caption] = await search({ photo, kind, file }, plain());
    return { photo, caption, preview };
  },

  async frame({ kind, pixels }) {
    return (await describeGrid(kind, await network.encode(withoutAlpha(pixels)), plain()))[0];
  },

  async attend(asked) {
    return (await search(asked, plain()))[0];
  },

  async alternatives(asked) {
    return (await search(asked, exported.decoding))[0];
  },

  async steer({ words, ends, ...asked }) {
    const prefix = words.join(' ');
    const max_tokens = ends ? tokenizer.encode(prefix).length : exported.decoding.max_tokens;
    return (await search(asked, { ...exported.decoding, max_tokens }, prefix))[0];
  },

  candidates: ({ count, ...asked }) => search(asked, { ...exported.decoding, candidates: count }),

  async occlude({ words, index, cells, ...asked }) {
    const { side } = exported.sizes;
    const chosen = [...new Set(cells)].sort((a, b) => a - b);
    const [whole, square] = [await gridOf(asked), await squareOf(asked)];
    const seen = [whole];
    for (const each of [chosen, ...randomCells(chosen, side ** 2)])
      seen.push(await network.encode(hideCells(square, each, side)));
    seen.push(meanGrid(whole, side ** 2));
    const found = await wordProbability(network, asked.kind, seen, tokenizer, words, index);
    return {
      before: found[0],
      after: found[1],
      elsewhere: found.slice(2, -1),
      blind: found[found.length - 1],
      caption: (await describeGrid(asked.kind, seen[1], exported.decoding))[0],
    };
  },

  async evidence({ words, ...asked }) {
    return gridEvidence(network, asked.kind, await gridOf(asked), exported.sizes.side ** 2, tokenizer, words);
  },

  picture: ({ file, longest }) => loadPicture(file, longest),
};

/** Other words are found when somebody asks. */
const plain = () => ({ ...exported.decoding, alternatives: 0 });

/**
 * @param {Asked} asked
 * @param {SearchOptions} options
 * @param {string} [prefix]
 */
async function search(asked, options, prefix) {
  return describeGrid(asked.kind, await gridOf(asked), options, prefix);
}

/**
 * @param {string} kind
 * @param {Float32Array} grid
 * @param {SearchOptions} options
 * @param {string} [prefix]
 */
async function describeGrid(kind, grid, options, prefix) {
  const read = network.reader(kind, await network.prepare(kind, grid, 1));
  return describe(read, exported.sizes.hidden, tokenizer, options, exported.constants.end_word, prefix);
}

/**
 * @param {Asked} asked
 * @returns {Promise<Float32Array>} the photo's grid, computed again if it is gone
 */
async function gridOf(asked) {
  return grids.get(asked.photo) ?? grids.set(asked.photo, await network.encode(await squareOf(asked)));
}

/**
 * @param {Asked} asked
 * @returns {Promise<Uint8Array>} the photo's square, read again if it is gone
 */
async function squareOf({ photo, file }) {
  const known = squares.get(photo);
  if (known) return known;
  if (!file) throw new Refusal(GONE);
  return squares.set(photo, (await loadPhoto(file, exported.sizes.image)).square);
}

/**
 * Names a photo by what the network sees of it: a hash of 106 bits (cyrb53, with two seeds).
 * @param {Uint8Array} square
 */
function nameOf(square) {
  return [0, 1].map((seed) => hash(square, seed).toString(16)).join('');
}

/**
 * @param {Uint8Array} bytes
 * @param {number} seed
 */
function hash(bytes, seed) {
  let [one, two] = [0xdeadbeef ^ seed, 0x41c6ce57 ^ seed];
  for (const byte of bytes) {
    one = Math.imul(one ^ byte, 2654435761);
    two = Math.imul(two ^ byte, 1597334677);
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(two ^ (two >>> 13), 3266489909);
  two = Math.imul(two ^ (two >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909);
  return 4294967296 * (2097151 & two) + (one >>> 0);
}

self.onmessage = async ({ data: { id, question, ...rest } }) => {
  try {
    const answer = await questions[/** @type {keyof Questions} */ (question)](rest);
    self.postMessage({ id, answer });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    self.postMessage(error instanceof Refusal ? { id, refusal: message } : { id, fault: message });
  }
};
