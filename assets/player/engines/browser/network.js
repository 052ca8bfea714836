// The network as ONNX Runtime computes it: photos to grids, grids to captions, one step at a time.

/** @import { InferenceSession } from 'onnxruntime-web' */
/** @import { Memory, Read, Sizes } from './types.d.ts' */

import { Refusal } from './refusal.js';

/** @typedef {typeof import('onnxruntime-web')} Ort */
/** @typedef {{ prepare: InferenceSession, step: InferenceSession }} Decoder */

/**
 * Loads ONNX Runtime Web.
 *
 * @param {string | ArrayBuffer} script an absolute address, or the content
 * @param {ArrayBuffer} binary its WebAssembly
 * @param {number} threads
 * @returns {Promise<Ort>}
 */
export async function loadRuntime(script, binary, threads) {
  // An address made of the content must be made here: on a page from a file, a worker may import no other.
  const address =
    typeof script === 'string' ? script : URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
  /** @type {Ort} */
  const ort = await import(address);
  ort.env.logLevel = 'error';
  ort.env.wasm.numThreads = threads;
  ort.env.wasm.wasmBinary = binary;
  return ort;
}

/** Computes. All photos and decoders share one backbone. */
export class Network {
  #ort;
  #encoder;
  #sizes;
  /** @type {Map<string, Decoder>} */
  #decoders = new Map();

  /**
   * @param {Ort} ort
   * @param {InferenceSession} encoder
   * @param {Sizes} sizes
   */
  constructor(ort, encoder, sizes) {
    this.#ort = ort;
    this.#encoder = encoder;
    this.#sizes = sizes;
  }

  /**
   * @param {Ort} ort
   * @param {ArrayBuffer} encoder the graph
   * @param {Sizes} sizes
   * @param {boolean} webgpu whether the backbone computes on the graphics processor, if there is one. The decoder never
   *   does: its steps are small, and each would wait for the way there and back.
   */
  static async load(ort, encoder, sizes, webgpu) {
    const loaded = (webgpu && (await gpuSession(ort, encoder))) || (await session(ort, encoder));
    return new Network(ort, loaded, sizes);
  }

  /** H, the length of the decoder's state. */
  get hidden() {
    return this.#sizes.hidden;
  }

  /**
   * @param {string} kind of attention
   * @param {ArrayBuffer} prepare the graph
   * @param {ArrayBuffer} step the graph
   */
  async addDecoder(kind, prepare, step) {
    if (this.#decoders.has(kind)) return;
    const [prepared, stepped] = [await session(this.#ort, prepare), await session(this.#ort, step)];
    this.#decoders.set(kind, { prepare: prepared, step: stepped });
  }

  /**
   * @param {Uint8Array} square RGB pixels of a photo
   * @returns {Promise<Float32Array>} its grid, (L, D)
   */
  async encode(square) {
    const { image } = this.#sizes;
    const { grid } = await this.#encoder.run({ pixels: new this.#ort.Tensor('uint8', square, [1, image, image, 3]) });
    return /** @type {Float32Array} */ (grid.data);
  }

  /**
   * What the decoder looks at.
   *
   * @param {string} kind of attention
   * @param {Float32Array} grids of B photos, (B, L, D)
   * @param {number} photos B
   * @returns {Promise<Memory>}
   */
  async prepare(kind, grids, photos) {
    const cells = this.#sizes.side ** 2;
    const grid = this.#tensor(grids, [photos, cells, grids.length / photos / cells]);
    const found = await this.#decoder(kind).prepare.run({ grid });
    return {
      photos,
      cells: /** @type {Float32Array} */ (found.cells.data),
      keys: /** @type {Float32Array} */ (found.keys.data),
    };
  }

  /**
   * The decoder, looking at a memory.
   *
   * @param {string} kind of attention
   * @param {Memory} memory
   * @returns {Read} reads K tokens for each of the B photos: (B * K)
   */
  reader(kind, memory) {
    const { step } = this.#decoder(kind);
    const { photos } = memory;
    const cellCount = this.#sizes.side ** 2;
    const cells = this.#tensor(memory.cells, [photos, cellCount, memory.cells.length / photos / cellCount]);
    const keys = this.#tensor(memory.keys, [photos, cellCount, memory.keys.length / photos / cellCount]);
    return async (tokens, { hidden, cell }) => {
      const captions = tokens.length / photos;
      const shape = [photos, captions, this.#sizes.hidden];
      const found = await step.run({
        tokens: new this.#ort.Tensor('int32', tokens, [photos, captions]),
        hidden: this.#tensor(hidden, shape),
        cell: this.#tensor(cell, shape),
        cells,
        keys,
      });
      return {
        logprobs: /** @type {Float32Array} */ (found.logprobs.data),
        weights: /** @type {Float32Array} */ (found.weights.data),
        hidden: /** @type {Float32Array} */ (found.hidden_out.data),
        cell: /** @type {Float32Array} */ (found.cell_out.data),
      };
    };
  }

  /** @param {string} kind */
  #decoder(kind) {
    const decoder = this.#decoders.get(kind);
    if (!decoder) throw new Refusal(`This page has no ${kind} attention.`);
    return decoder;
  }

  /**
   * @param {Float32Array} values
   * @param {number[]} shape
   */
  #tensor(values, shape) {
    return new this.#ort.Tensor('float32', values, shape);
  }
}

/**
 * @param {Ort} ort
 * @param {ArrayBuffer} graph
 * @param {'wasm' | 'webgpu'} [provider]
 * @returns {Promise<InferenceSession>}
 */
const session = (ort, graph, provider = 'wasm') =>
  ort.InferenceSession.create(graph, { executionProviders: [provider], graphOptimizationLevel: 'all' });

/**
 * The graph on the graphics processor, or null where that cannot be had: many browsers and devices have none.
 *
 * @param {Ort} ort
 * @param {ArrayBuffer} graph
 */
async function gpuSession(ort, graph) {
  try {
    const found = await session(ort, graph, 'webgpu');
    console.info('Photos are encoded on the graphics processor.');
    return found;
  } catch (error) {
    console.info('Photos are encoded on the processor, since WebGPU cannot be used:', error);
    return null;
  }
}
