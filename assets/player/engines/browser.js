/** @import { Caption, Captioned, Constants, Engine, FileKind, Item, Progress, Question, Sample, Source } from '../types.d.ts' */
/** @import { Asked, Parts, PhotoFile, PlainCaption } from './browser/types.d.ts' */

import { unpackNumbers } from '../core/drawing/overlay.js';
import { textOf } from '../core/text.js';
import { toCaption, toEvidence } from './browser/answers.js';
import { Queue } from './browser/queue.js';
import { GONE } from './browser/refusal.js';
import { SAVED, saveFile } from './browser/saving/saving.js';
import { WorkerCaptioner } from './browser/worker_captioner.js';

const CANDIDATES = 3;
const PICTURE_SIDE = 1280; // longer side, in pixels

/**
 * Captions photos in the browser; they never leave it. The captioner is downloaded when it is first asked, or before,
 * by `load`.
 *
 * @implements {Engine}
 */
export class BrowserEngine {
  #captioner;
  #queue = new Queue();

  /** @param {Parts} parts */
  constructor(parts) {
    this.#captioner = new WorkerCaptioner(parts);
  }

  /**
   * @param {Progress} listener hears how much of the captioner is here while it is loaded
   * @param {AbortSignal} signal ends that
   */
  watchLoading(listener, signal) {
    this.#captioner.watchLoading(listener, signal);
  }

  /** Makes the captioner ready. After a failure, the next call tries again. */
  async load() {
    await this.#captioner.ready();
  }

  /** Stops the worker and gives its memory back. */
  close() {
    return this.#captioner.close();
  }

  /** @param {Question} question */
  can(question) {
    const kind = question.startsWith('save-') && question.slice('save-'.length);
    if (kind) return SAVED.includes(/** @type {FileKind} */ (kind));
    return question !== 'recall';
  }

  /**
   * @param {Source} source
   * @param {string} attention
   * @returns {Promise<Captioned>}
   */
  async caption(source, attention) {
    const known = 'sample' in source && captionedBefore(source.sample, attention);
    if (known) return known;
    const kind = await this.#captioner.kind(attention);
    const question = { kind, file: fileOf(source) };
    const { photo, caption, preview } = await this.#queue.photo(() => this.#captioner.ask('caption', question));
    return { ...(await this.#captioned(`${kind}-${photo}`, caption)), preview: await toDataUrl(preview) };
  }

  /**
   * @param {Item} item
   * @param {string} attention
   * @returns {Promise<Captioned>}
   */
  async attend(item, attention) {
    const kind = await this.#captioner.kind(attention);
    const asked = { ...askedOf(item), kind };
    return this.#captioned(
      `${kind}-${asked.photo}`,
      await this.#queue.wish(() => this.#captioner.ask('attend', asked)),
    );
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   * @returns {Promise<Caption>}
   */
  async steer(item, words) {
    const constants = await this.#constants();
    const ends = words.at(-1) === constants.end_word;
    const question = { ...askedOf(item), words: ends ? words.slice(0, -1) : words, ends };
    return toCaption(await this.#queue.wish(() => this.#captioner.ask('steer', question)), constants);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   * @param {number} index
   * @param {number[]} cells
   */
  async occlude(item, words, index, cells) {
    const question = { ...askedOf(item), words, index, cells };
    const found = await this.#queue.wish(() => this.#captioner.ask('occlude', question));
    return { ...found, caption: toCaption(found.caption, await this.#constants()) };
  }

  /**
   * @param {Item} item
   * @returns {Promise<Caption[]>}
   */
  async candidates(item) {
    const question = { ...askedOf(item), count: CANDIDATES };
    const constants = await this.#constants();
    const found = await this.#queue.wish(() => this.#captioner.ask('candidates', question));
    return found.map((caption) => toCaption(caption, constants));
  }

  /** @param {Item} item */
  async alternatives(item) {
    const found = await this.#queue.wish(() => this.#captioner.ask('alternatives', askedOf(item)));
    return toCaption(found, await this.#constants()).words.map(({ alternatives = [] }) => alternatives);
  }

  /**
   * @param {HTMLCanvasElement} frame
   * @param {string} attention
   * @param {AbortSignal} signal
   * @returns {Promise<Captioned>}
   */
  async live(frame, attention, signal) {
    const kind = await this.#captioner.kind(attention);
    const caption = await this.#queue.frame(async () => {
      signal.throwIfAborted(); // while others were before it
      const { data: pixels } = contextOf(frame).getImageData(0, 0, frame.width, frame.height);
      return this.#captioner.ask('frame', { kind, pixels }, [pixels.buffer]);
    });
    return this.#captioned('', caption);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   */
  async evidence(item, words) {
    const constants = await this.#constants();
    const caption = written(item, words) ?? (await this.steer(item, [...words, constants.end_word]));
    const found = await this.#queue.wish(() => this.#captioner.ask('evidence', { ...askedOf(item), words }));
    return toEvidence(found, unpackNumbers(caption.weights), constants);
  }

  /**
   * @param {Item} item
   * @returns {Promise<string>}
   */
  async picture(item) {
    const file = item.source && fileOf(item.source);
    if (!file) return item.url || item.preview;
    const picture = await this.#queue.wish(() => this.#captioner.ask('picture', { file, longest: PICTURE_SIDE }));
    return URL.createObjectURL(picture);
  }

  /**
   * @param {FileKind} kind
   * @param {Item[]} items
   * @param {boolean} evidence
   * @param {(done: number) => void} progress
   */
  async save(kind, items, evidence, progress) {
    return saveFile(this, await this.#constants(), kind, items, evidence, progress);
  }

  /**
   * @param {string} key
   * @param {PlainCaption} caption
   * @returns {Promise<Captioned>}
   */
  async #captioned(key, caption) {
    const { sizes, constants } = (await this.#captioner.ready()).exported;
    return { key, captions: [toCaption(caption, constants)], side: sizes.side };
  }

  /** @returns {Promise<Constants>} */
  async #constants() {
    return (await this.#captioner.ready()).exported.constants;
  }
}

/**
 * @param {Item} item
 * @returns {Asked}
 */
function askedOf({ key, source }) {
  const at = key.lastIndexOf('-');
  return { kind: key.slice(0, at), photo: key.slice(at + 1), file: source && fileOf(source) };
}

/**
 * @param {Source} source
 * @returns {PhotoFile}
 */
function fileOf(source) {
  if ('recalled' in source) throw new Error(GONE);
  return 'file' in source ? source.file : new URL(source.sample.image.url, document.baseURI).href;
}

/**
 * An example photo's caption, if it came with the page.
 *
 * @param {Sample} sample
 * @param {string} attention
 * @returns {Captioned | null}
 */
function captionedBefore({ captioned, thumbnail }, attention) {
  return captioned?.key.startsWith(`${attention}-`) ? { ...captioned, preview: thumbnail.url } : null;
}

/** @param {HTMLCanvasElement} canvas */
function contextOf(canvas) {
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('This browser does not draw.');
  return context;
}

/**
 * The photo's caption with these words, if it has one.
 *
 * @param {Item} item
 * @param {string[]} words
 */
function written({ captions, steered, withAttention, key }, words) {
  const found = Object.values(withAttention).find((each) => each.key === key)?.captions ?? [];
  const text = words.join(' ');
  return [...captions, ...steered, ...found].find((caption) => textOf(caption) === text);
}

/**
 * @param {Blob} blob
 * @returns {Promise<string>}
 */
const toDataUrl = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
