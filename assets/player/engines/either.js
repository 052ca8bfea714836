/** @import { Captioned, Engine, FileKind, Item, Progress, Question, Source } from '../types.d.ts' */
import { ServedParts } from './browser/served_parts.js';
import { BrowserEngine } from './browser.js';

const LONG_MS = 6000; // an answer that takes longer shows that the server, or the way to it, is busy
const NOT_THERE =
  'Only the server makes this file, and photos that were captioned on this device are not sent to it; save a sheet, JSON or a table.';

/**
 * Asks the server, or captions on this device from the moment the visitor wishes so. A photo that was captioned on this
 * device stays there, whatever the visitor wishes for the next ones.
 *
 * @implements {Engine}
 */
export class EitherEngine {
  #server;
  #device;
  #wished = false;
  /** Keys of what was captioned on this device. @type {Set<string>} */
  #here = new Set();
  /** @type {Set<() => void>} */
  #listeners = new Set();

  /**
   * @param {Engine} server
   * @param {Engine} device
   */
  constructor(server, device) {
    this.#server = server;
    this.#device = device;
  }

  /**
   * @param {Engine} server
   * @param {ConstructorParameters<typeof ServedParts>[0]} places where the captioner's files are
   */
  static serving(server, places) {
    return new EitherEngine(server, new BrowserEngine(new ServedParts(places)));
  }

  /**
   * @param {boolean} wished
   * @returns {Promise<void>} resolves when photos can be captioned
   */
  async useDevice(wished) {
    this.#wished = wished;
    if (wished) await this.#device.load?.();
  }

  /**
   * @param {Progress} listener
   * @param {AbortSignal} signal
   */
  watchLoading(listener, signal) {
    this.#device.watchLoading?.(listener, signal);
  }

  /**
   * @param {() => void} listener hears when the server takes long
   * @param {AbortSignal} signal ends that
   */
  watchBusy(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener));
  }

  /** @param {Question} question */
  can(question) {
    return this.#server.can(question);
  }

  /**
   * @param {Source} source
   * @param {string} attention
   */
  async caption(source, attention) {
    if (this.#wished && !('recalled' in source)) return this.#kept(this.#device.caption(source, attention));
    return this.#timed(this.#server.caption(source, attention));
  }

  /**
   * @param {Item} item
   * @param {string} attention
   */
  async attend(item, attention) {
    if (this.#of(item) === this.#server) return this.#server.attend(item, attention);
    return this.#kept(this.#device.attend(item, attention));
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   */
  steer(item, words) {
    return this.#of(item).steer(item, words);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   * @param {number} index
   * @param {number[]} cells
   */
  occlude(item, words, index, cells) {
    return this.#of(item).occlude(item, words, index, cells);
  }

  /** @param {Item} item */
  candidates(item) {
    return this.#of(item).candidates(item);
  }

  /** @param {Item} item */
  alternatives(item) {
    return this.#of(item).alternatives(item);
  }

  /**
   * @param {HTMLCanvasElement} frame
   * @param {string} attention
   * @param {AbortSignal} signal
   * @returns {Promise<Captioned>}
   */
  async live(frame, attention, signal) {
    const engine = this.#wished ? this.#device : this.#server;
    if (!engine.live) throw new Error('Nobody captions frames here.');
    return engine.live(frame, attention, signal);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   */
  evidence(item, words) {
    return this.#of(item).evidence(item, words);
  }

  /** @param {Item} item */
  picture(item) {
    return this.#of(item).picture(item);
  }

  /**
   * @param {FileKind} kind
   * @param {Item[]} items
   * @param {boolean} evidence
   * @param {(done: number) => void} progress
   */
  async save(kind, items, evidence, progress) {
    if (items.every((item) => this.#of(item) === this.#server))
      return this.#server.save(kind, items, evidence, progress);
    if (!this.#device.can(`save-${kind}`)) throw new Error(NOT_THERE);
    return this.#device.save(kind, items, evidence, progress);
  }

  /**
   * Who answers questions about a photo.
   * @param {Item} item
   * @returns {Engine}
   */
  #of({ key }) {
    return this.#here.has(key) ? this.#device : this.#server;
  }

  /** @param {Promise<Captioned>} asked */
  async #kept(asked) {
    const answer = await asked;
    this.#here.add(answer.key);
    return answer;
  }

  /** @param {Promise<Captioned>} asked */
  async #timed(asked) {
    const timer = setTimeout(() => {
      for (const listener of this.#listeners) listener();
    }, LONG_MS);
    try {
      return await asked;
    } finally {
      clearTimeout(timer);
    }
  }
}
