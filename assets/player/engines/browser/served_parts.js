// The captioner's files on the server of the page, or on any other.

/** @import { Exported, ExportedFile, Parts } from './types.d.ts' */
import { readAll } from './read_all.js';

const NOT_DOWNLOADED = 'The captioner could not be downloaded; please check the network and try again.';

/**
 * Downloads the captioner, and keeps its files in the browser for the next visit.
 * @implements {Parts}
 */
export class ServedParts {
  #model;
  #script;
  #binary;
  #webgpu;
  #cache;

  /**
   * @param {object} places addresses, relative to the page
   * @param {string} places.model of captioner.json
   * @param {string} places.script of ONNX Runtime Web
   * @param {ExportedFile} places.binary its WebAssembly
   * @param {boolean} places.webgpu whether photos are encoded on the graphics processor, if there is one
   * @param {string} [places.cache] names the browser's store: another one for other files; none: nothing is kept
   */
  constructor({ model, script, binary, webgpu, cache = '' }) {
    this.#model = absolute(model);
    this.#script = absolute(script);
    this.#binary = { ...binary, file: absolute(binary.file) };
    this.#webgpu = webgpu;
    this.#cache = cache;
  }

  /** @returns {Promise<Exported>} */
  async exported() {
    const bytes = await this.#download(this.#model, 0, () => {});
    return JSON.parse(new TextDecoder().decode(bytes));
  }

  get runtime() {
    return { script: this.#script, binary: this.#binary, webgpu: this.#webgpu };
  }

  worker() {
    return new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  }

  /**
   * @param {ExportedFile} file
   * @param {(bytes: number) => void} progress
   */
  read({ file, bytes }, progress) {
    return this.#download(new URL(file, this.#model).href, bytes, progress);
  }

  /**
   * @param {string} address
   * @param {number} size bytes that are expected; 0: any number
   * @param {(bytes: number) => void} progress
   * @returns {Promise<ArrayBuffer>}
   */
  async #download(address, size, progress) {
    // Browsers keep files only for pages that come over HTTPS or from this computer.
    const cache = this.#cache && 'caches' in globalThis ? await caches.open(this.#cache) : null;
    const kept = await cache?.match(address);
    try {
      const response = kept ?? (await fetch(address));
      if (!response.ok) throw new Error(`${response.status}`);
      const content = size ? await readAll(response.body, size, progress) : await response.arrayBuffer();
      if (cache && !kept) await cache.put(address, new Response(content)).catch(() => {}); // no room: so be it
      return content;
    } catch (error) {
      await cache?.delete(address);
      throw new Error(NOT_DOWNLOADED, { cause: error });
    }
  }
}

/** @param {string} address */
const absolute = (address) => new URL(address, document.baseURI).href;
