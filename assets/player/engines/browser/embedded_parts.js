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
   * @param {{ script: ExportedFile, binary: ExportedFile, webgpu: boolean }} parts.runtime ONNX Runtime Web
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
      controller.enqueue(toBytes(text.slice(at, at + SLICE)));
      at += SLICE;
      if (at >= text.length) controller.close();
    },
  });
}

/** @param {string} text base64 */
function toBytes(text) {
  const native = /** @type {{ fromBase64?: (text: string) => Uint8Array<ArrayBuffer> }} */ (Uint8Array);
  if (native.fromBase64) return native.fromBase64(text);
  const characters = atob(text);
  const bytes = new Uint8Array(characters.length);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = characters.charCodeAt(at);
  return bytes;
}
