// The captioner's files inside the page, which then works wherever it is opened from.

/** @import { Exported, ExportedFile, Parts } from './types.d.ts' */
import { readAll } from './read_all.js';

const SLICE = 1 << 20; // characters decoded at once, a multiple of four: the page stays responsive
const DAMAGED = 'The captioner in this page is damaged; please get another copy of the page.';

/**
 * Finds the captioner's files in the page: each is gzipped, in base64, in an element with its name as `data-file`.
 * @implements {Parts}
 */
export class EmbeddedParts {
  #exported;
  #worker;

  /**
   * @param {object} parts
   * @param {Exported} parts.exported captioner.json
   * @param {{ script: ExportedFile, binary: ExportedFile }} parts.runtime ONNX Runtime Web
   * @param {string} parts.worker worker.js and its modules as one classic script: a page from a file starts no other
   */
  constructor({ exported, runtime, worker }) {
    this.#exported = exported;
    this.runtime = runtime;
    this.#worker = worker;
  }

  async exported() {
    return this.#exported;
  }

  worker() {
    const address = URL.createObjectURL(new Blob([this.#worker], { type: 'text/javascript' }));
    const worker = new Worker(address);
    URL.revokeObjectURL(address);
    return worker;
  }

  /**
   * @param {ExportedFile} file
   * @param {(bytes: number) => void} progress
   */
  async read({ file, bytes }, progress) {
    const text = document.querySelector(`[data-file="${CSS.escape(file)}"]`)?.textContent ?? '';
    try {
      return await readAll(decode(text).pipeThrough(new DecompressionStream('gzip')), bytes, progress);
    } catch (error) {
      throw new Error(DAMAGED, { cause: error });
    }
  }
}

/**
 * @param {string} text base64
 * @returns {ReadableStream<BufferSource>}
 */
function decode(text) {
  let at = 0;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve));
      const slice = atob(text.slice(at, at + SLICE));
      controller.enqueue(Uint8Array.from(slice, (character) => character.charCodeAt(0)));
      at += SLICE;
      if (at >= text.length) controller.close();
    },
  });
}
