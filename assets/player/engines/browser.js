/** @import { Caption, Captioned, Constants, Engine, FileKind, Item, Progress, Question, Sample, Source } from '../types.d.ts' */
/** @import { Asked, Exported, ExportedFile, Parts, PhotoFile, PlainCaption, Questions } from './browser/types.d.ts' */

import { unpackNumbers } from '../core/overlay.js';
import { textOf } from '../core/text.js';
import { toCaption, toEvidence } from './browser/answers.js';
import { Queue } from './browser/queue.js';
import { GONE } from './browser/refusal.js';
import { SAVED, saveFile } from './browser/saving.js';
import { WorkerClient } from './browser/worker_client.js';

const MOST_THREADS = 4; // more win nothing
const CANDIDATES = 3;
const PICTURE_SIDE = 1280; // longer side, in pixels

/** @typedef {{ client: WorkerClient, exported: Exported, kinds: Map<string, Promise<void>> }} Loaded */

/**
 * Captions photos in the browser; they never leave it. The captioner is downloaded when it is first asked, or before,
 * by `load`.
 *
 * @implements {Engine}
 */
export class BrowserEngine {
  #parts;
  /** @type {Set<Progress>} */
  #listeners = new Set();
  #queue = new Queue();
  /** @type {Promise<Loaded> | null} */
  #loaded = null;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /**
   * @param {Progress} listener hears how much of the captioner is here while it is loaded
   * @param {AbortSignal} signal ends that
   */
  watchLoading(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener));
  }

  /** Makes the captioner ready. After a failure, the next call tries again. */
  async load() {
    await this.#ready();
  }

  /** Stops the worker and gives its memory back. */
  async close() {
    const loaded = this.#loaded;
    this.#loaded = null;
    (await loaded?.catch(() => null))?.client.end('This page no longer captions photos.');
  }

  /** @param {Question} question */
  can(question) {
    const kind = question.startsWith('save-') && question.slice('save-'.length);
    if (kind) return SAVED.includes(/** @type {FileKind} */ (kind));
    return question !== 'live' && question !== 'recall';
  }

  /**
   * @param {Source} source
   * @param {string} attention
   * @returns {Promise<Captioned>}
   */
  async caption(source, attention) {
    const known = 'sample' in source && captionedBefore(source.sample, attention);
    if (known) return known;
    const kind = await this.#kind(attention);
    const question = { kind, file: fileOf(source) };
    const { photo, caption, preview } = await this.#queue.photo(() => this.#ask('caption', question));
    return { ...(await this.#captioned(`${kind}-${photo}`, caption)), preview: await toDataUrl(preview) };
  }

  /**
   * @param {Item} item
   * @param {string} attention
   * @returns {Promise<Captioned>}
   */
  async attend(item, attention) {
    const kind = await this.#kind(attention);
    const asked = { ...askedOf(item), kind };
    return this.#captioned(`${kind}-${asked.photo}`, await this.#queue.wish(() => this.#ask('attend', asked)));
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
    return toCaption(await this.#queue.wish(() => this.#ask('steer', question)), constants);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   * @param {number} index
   * @param {number[]} cells
   */
  async occlude(item, words, index, cells) {
    const question = { ...askedOf(item), words, index, cells };
    const found = await this.#queue.wish(() => this.#ask('occlude', question));
    return { ...found, caption: toCaption(found.caption, await this.#constants()) };
  }

  /**
   * @param {Item} item
   * @returns {Promise<Caption[]>}
   */
  async candidates(item) {
    const question = { ...askedOf(item), count: CANDIDATES };
    const constants = await this.#constants();
    const found = await this.#queue.wish(() => this.#ask('candidates', question));
    return found.map((caption) => toCaption(caption, constants));
  }

  /** @param {Item} item */
  async alternatives(item) {
    const found = await this.#queue.wish(() => this.#ask('alternatives', askedOf(item)));
    return toCaption(found, await this.#constants()).words.map(({ alternatives = [] }) => alternatives);
  }

  /**
   * @param {Item} item
   * @param {string[]} words
   */
  async evidence(item, words) {
    const constants = await this.#constants();
    const caption = written(item, words) ?? (await this.steer(item, [...words, constants.end_word]));
    const found = await this.#queue.wish(() => this.#ask('evidence', { ...askedOf(item), words }));
    return toEvidence(found, unpackNumbers(caption.weights), constants);
  }

  /**
   * @param {Item} item
   * @returns {Promise<string>}
   */
  async picture(item) {
    const file = item.source && fileOf(item.source);
    if (!file) return item.url || item.preview;
    const picture = await this.#queue.wish(() => this.#ask('picture', { file, longest: PICTURE_SIDE }));
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

  /** @returns {Promise<Loaded>} */
  async #start() {
    const exported = await this.#parts.exported();
    const { script, binary } = this.#parts.runtime;
    const [kind, graphs] = Object.entries(exported.kinds)[0];
    const wanted = [binary, exported.files.encoder, graphs.prepare, graphs.step];
    if (typeof script !== 'string') wanted.push(script);
    const [wasm, encoder, prepare, step, module] = await this.#read(wanted);
    const client = new WorkerClient(this.#parts.worker(), () => {
      this.#loaded = null;
    });
    const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
    const question = { script: module ?? script, binary: wasm, exported, threads, encoder };
    await client.ask('start', question, [wasm, encoder]);
    const added = client.ask('addDecoder', { kind, prepare, step }, [prepare, step]);
    await added;
    return { client, exported, kinds: new Map([[kind, added]]) };
  }

  /**
   * Reads files at once, and tells how far they are.
   * @param {ExportedFile[]} files
   */
  #read(files) {
    const loaded = files.map(() => 0);
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    return Promise.all(
      files.map((file, at) =>
        this.#parts.read(file, (bytes) => {
          loaded[at] = bytes;
          this.#tell({ loaded: loaded.reduce((sum, each) => sum + each, 0), total });
        }),
      ),
    );
  }

  /**
   * Makes a kind of attention ready.
   *
   * @param {string} name '': the usual one
   * @returns {Promise<string>} its name
   */
  async #kind(name) {
    const { client, exported, kinds } = await this.#ready();
    const kind = name || Object.keys(exported.kinds)[0];
    const graphs = exported.kinds[kind];
    if (!graphs) throw new Error(`There is no attention \u201C${kind}\u201D here.`);
    const add = async () => {
      try {
        const [prepare, step] = await this.#read([graphs.prepare, graphs.step]);
        await client.ask('addDecoder', { kind, prepare, step }, [prepare, step]); // not in the queue: one in it may wait
      } finally {
        this.#tell(null);
      }
    };
    if (!kinds.has(kind)) kinds.set(kind, add());
    await kinds.get(kind)?.catch((error) => {
      kinds.delete(kind); // the next call tries again
      throw error;
    });
    return kind;
  }

  /**
   * @template {keyof Questions} Name
   * @param {Name} name
   * @param {Parameters<Questions[Name]>[0]} question
   */
  async #ask(name, question) {
    if ('kind' in question) await this.#kind(question.kind);
    const { client } = await this.#ready();
    return client.ask(name, question);
  }

  /**
   * @param {string} key
   * @param {PlainCaption} caption
   * @returns {Promise<Captioned>}
   */
  async #captioned(key, caption) {
    const { sizes, constants } = (await this.#ready()).exported;
    return { key, captions: [toCaption(caption, constants)], side: sizes.side };
  }

  /** @returns {Promise<Constants>} */
  async #constants() {
    return (await this.#ready()).exported.constants;
  }

  /** @returns {Promise<Loaded>} */
  #ready() {
    this.#loaded ??= this.#start()
      .catch((error) => {
        this.#loaded = null;
        throw error;
      })
      .finally(() => this.#tell(null));
    return this.#loaded;
  }

  /** @type {Progress} */
  #tell(progress) {
    for (const listener of this.#listeners) listener(progress);
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
