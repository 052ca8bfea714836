/** @import { Captioned, Engine, FileKind, Item, Source } from '../types.d.ts' */
import { toJpeg } from '../core/drawing/picture.js';
import { Gone } from '../core/gone.js';

const LOST = 'The server does not answer; trying again\u2026';
const SILENT = 'The server did not answer; please try again.';
const LIVE_QUALITY = 0.92; // of a frame's JPEG
const LIVE_PATIENCE_MS = 10_000; // then the server counts as gone
const ASK_AGAIN_MS = 300; // how far a file is

/**
 * What the server may answer instead: that it no longer has the photo, or what is wrong.
 * @typedef {{ gone?: boolean, error?: string }} Refusal
 */

/** @param {number} ms */
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * @template T
 * @param {T & Refusal} answer
 * @returns {T}
 */
function accept(answer) {
  if (answer.gone) throw new Gone();
  if (answer.error) throw new Error(answer.error);
  return answer;
}

/**
 * Asks the server of the page. A photo that has left it in the meantime is sent again, once.
 * @implements {Engine}
 */
export class ServerEngine {
  #server;

  /** @param {Record<string, (question: object) => Promise<any>>} server the functions that Gradio hands to the page */
  constructor(server) {
    this.#server = server;
  }

  can() {
    return true;
  }

  /**
   * @param {Source} source
   * @param {string} attention
   * @returns {Promise<Captioned>}
   */
  async caption(source, attention) {
    /** @type {Captioned & Refusal} */
    let answer;
    try {
      answer = await this.#send(source, attention);
    } catch {
      throw new Error(SILENT);
    }
    return accept(answer);
  }

  /**
   * @param {Item} item
   * @param {string} attention
   */
  attend(item, attention) {
    return this.#ask('attend', item, { attention });
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   */
  steer(item, words) {
    return this.#ask('steer', item, { words });
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   * @param {number} index
   * @param {number[]} cells
   */
  occlude(item, words, index, cells) {
    return this.#ask('occlude', item, { words, index, cells });
  }

  /** @param {Item} item */
  async candidates(item) {
    return (await this.#ask('candidates', item)).captions;
  }

  /** @param {Item} item */
  async alternatives(item) {
    return (await this.#ask('alternatives', item)).alternatives;
  }

  /**
   * @param {HTMLCanvasElement} frame
   * @param {string} attention
   * @param {AbortSignal} signal
   * @returns {Promise<Captioned>}
   */
  async live(frame, attention, signal) {
    const body = await toJpeg(frame, LIVE_QUALITY);
    /** @type {Captioned & Refusal} */
    let answer;
    try {
      const within = AbortSignal.any([signal, AbortSignal.timeout(LIVE_PATIENCE_MS)]);
      const address = `live?attention=${encodeURIComponent(attention)}`;
      answer = await (await fetch(address, { method: 'POST', body, signal: within })).json();
    } catch {
      throw new Error(LOST);
    }
    return accept(answer);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   */
  evidence(item, words) {
    return this.#ask('evidence', item, { words });
  }

  /** @param {Item} item */
  async picture(item) {
    return (await this.#ask('picture', item)).url;
  }

  /**
   * @param {FileKind} kind
   * @param {Item[]} items
   * @param {boolean} evidence
   * @param {(done: number) => void} progress
   */
  async save(kind, items, evidence, progress) {
    let state = await this.#makeFile(kind, items, evidence, progress);
    if (state.gone) state = await this.#makeFile(kind, items, evidence, progress); // a photo's time was over meanwhile
    return accept(state);
  }

  /**
   * @param {Source} source
   * @param {string} attention
   */
  async #send(source, attention) {
    if ('recalled' in source) return this.#server.recall({ key: source.recalled, attention });
    if ('sample' in source) return this.#server.sample({ file: source.sample.file, attention });
    const response = await fetch(`photo?attention=${encodeURIComponent(attention)}`, {
      method: 'POST',
      body: source.file,
    });
    return response.json();
  }

  /**
   * @param {string} name
   * @param {Item} item
   * @param {object} question
   */
  async #ask(name, item, question = {}) {
    const ask = () => this.#server[name]({ ...question, key: item.key });
    let answer = await ask();
    if (answer.gone && item.source && !('recalled' in item.source)) {
      await this.#send(item.source, item.attention);
      answer = await ask();
    }
    return accept(answer);
  }

  /**
   * The server makes the file in the background; this asks how far it is.
   *
   * @param {FileKind} kind
   * @param {Item[]} items
   * @param {boolean} evidence
   * @param {(done: number) => void} progress
   */
  async #makeFile(kind, items, evidence, progress) {
    for (const item of items) {
      if (item.source && !('recalled' in item.source) && (await this.#server.known({ key: item.key })).gone)
        await this.#send(item.source, item.attention);
    }
    const photos = items.map(({ key, name, steered }) => ({
      key,
      name,
      words: steered.at(-1)?.words.map((word) => word.text) ?? null,
    }));
    let state = await this.#server.make_file({ kind, photos, evidence });
    const { job } = state;
    while (!state.url && !state.error && !state.gone) {
      progress(state.done ?? 0);
      await wait(ASK_AGAIN_MS);
      state = await this.#server.file_state({ job });
    }
    return state;
  }
}
