/** @import { Alternative, Caption, Captioned, Engine, Evidence, FoundPhotos, Item, Sample } from '../types.d.ts' */
/** @import { PhotoFiles } from './photo_files.js' */
/** @import { Store } from './store.js' */
/** @import { Kept } from './session.js' */
import { painted } from './dom.js';
import { forget, pictureOf } from './drawing/picture.js';
import { Gone } from './gone.js';
import { gone, leftOut, quoted, textOf, tooMany } from './text.js';

const AT_ONCE = 6; // photos on their way, as many as browsers send at once; some are captioned together

/** Brings photos to the engine, some at a time, and their captions into the store. */
export class Captioning {
  #store;
  #engine;
  #say;
  #photoFiles;
  #largest;
  #most;
  /** @type {Item[]} */
  #queue = [];
  #running = 0;
  #lost = 0; // photos that did not come back after a reload
  #answered = false; // one of these photos: the first goes alone, so that its caption is there soonest
  /** @type {WeakSet<Item>} */
  #sharpening = new WeakSet();
  /** @type {WeakMap<Caption, Promise<Alternative[][]>>} */
  #finding = new WeakMap();
  /** @type {WeakMap<Caption, Promise<Evidence>>} */
  #measuring = new WeakMap();

  /**
   * @param {object} parts
   * @param {Store} parts.store
   * @param {Engine} parts.engine
   * @param {(text: string) => void} parts.say
   * @param {PhotoFiles | null} parts.photoFiles null where no files are added
   * @param {number} parts.largest bytes a file
   * @param {number} parts.most photos in the page
   */
  constructor({ store, engine, say, photoFiles, largest, most }) {
    this.#store = store;
    this.#engine = engine;
    this.#say = say;
    this.#photoFiles = photoFiles;
    this.#largest = largest;
    this.#most = most;
  }

  /** How many more photos the page takes. */
  get room() {
    return Math.max(0, this.#most - this.#store.items.length);
  }

  /**
   * Adds files that the visitor has picked one by one; each has a card, even if it turns out to be no photo.
   * @param {File[]} files
   * @returns {Item[]} those for which there was room
   */
  addFiles(files) {
    const { room } = this;
    this.#note(files.length > room ? tooMany(files.length - room, this.#most) : '');
    return this.#add(files.slice(0, room));
  }

  /**
   * Adds the photos of folders. Other files in them are only counted.
   *
   * @param {string[]} names of the folders
   * @param {(photoFiles: PhotoFiles, room: number) => Promise<FoundPhotos>} find
   */
  async addFolders(names, find) {
    if (!this.#photoFiles) return;
    this.#note(`Looking for photos in ${quoted(names)}\u2026`);
    const found = await find(this.#photoFiles, this.room);
    this.#note(leftOut(found, names, this.#most));
    this.#add(found.files);
  }

  /** @param {File[]} files */
  #add(files) {
    if (!files.length) return [];
    this.#answered = this.#running > 0;
    this.#store.set({ stopped: false });
    return files.map((file) => {
      const item = this.#store.add({ name: file.name || 'pasted photo', source: { file } });
      if (file.size <= this.#largest) this.#queue.push(item);
      else {
        const error = `This file is larger than ${Math.round(this.#largest / 1e6)} MB; please make it smaller.`;
        this.#store.update(item, { state: 'bad', error });
      }
      this.#pump(); // the first is on its way while the others get their cards
      return item;
    });
  }

  /** @param {string} note */
  #note(note) {
    this.#store.set({ note });
    if (note) this.#say(note);
  }

  /**
   * Adds the example photos that are not there yet.
   *
   * @param {Sample[]} samples
   * @returns {Item | undefined} the photo, if only one was asked for and it is captioned already
   */
  addSamples(samples) {
    this.#answered = this.#running > 0;
    this.#store.set({ stopped: false });
    /** @type {Item | undefined} */
    let present;
    for (const sample of samples) {
      present = this.#store.items.find(
        ({ source }) => source && 'sample' in source && source.sample.file === sample.file,
      );
      if (!present) this.#queue.push(this.#store.add({ name: sample.file, source: { sample } }));
      this.#pump();
    }
    return samples.length === 1 && present?.state === 'done' ? present : undefined;
  }

  /**
   * Brings back photos that the page had before it was loaded again, or says that they are gone.
   *
   * @param {Kept[]} kept
   * @param {Sample[]} samples
   */
  restore(kept, samples) {
    const asks = this.#engine.can('recall');
    let lost = 0;
    for (const { name, key, sample } of kept) {
      const known = samples.find(({ file }) => file === sample);
      if (known) this.#queue.push(this.#store.add({ name, source: { sample: known } }));
      else if (key && asks) this.#queue.push(this.#store.add({ name, source: { recalled: key } }));
      else lost += 1;
    }
    this.#lost = lost;
    if (lost) this.#note(gone(lost));
    this.#pump();
  }

  /** Stops sending photos, or goes on. */
  toggle() {
    this.#store.set({ stopped: !this.#store.state.stopped });
    this.#pump();
    this.#say(this.#store.state.stopped ? 'Stopped.' : 'Going on.');
  }

  /** @param {Item} item */
  remove(item) {
    this.#take(item);
    this.#say(`${item.name} is removed.`);
  }

  clear() {
    const open = this.#store.state.item; // last, or else one after the other would take its place
    for (const item of this.#store.items.filter((each) => each !== open)) this.#take(item);
    if (open) this.#take(open);
    this.#store.set({ note: '' });
    this.#say('All photos are removed.');
  }

  /** Gives the photo in the player what it lacks: its full picture, and the other words of its caption. */
  complete() {
    const { item, caption } = this.#store.state;
    if (!item || !caption) return;
    this.#sharpen(item);
    if (this.#engine.can('alternatives')) this.alternatives(item, caption).catch(() => {}); // the panel asks again
  }

  /** @param {Item} item */
  async #sharpen(item) {
    if (item.url || this.#sharpening.has(item)) return;
    this.#sharpening.add(item);
    try {
      this.#store.update(item, { url: await pictureOf(item, this.#engine) });
      if (!this.#store.items.includes(item)) forget(item.url);
    } catch {
      // the preview stays
    } finally {
      this.#sharpening.delete(item);
    }
  }

  /**
   * A photo's captions with a kind of attention.
   *
   * @param {Item} item
   * @param {string} name
   * @returns {Promise<Captioned>}
   */
  async attend(item, name) {
    const { key, captions, side, attention } = item;
    const known = { [attention]: { key, captions, side }, ...item.withAttention };
    const found = known[name] ?? (await this.#engine.attend(item, name));
    this.#store.update(item, { withAttention: { ...known, ...item.withAttention, [name]: found } });
    return found;
  }

  /**
   * What mattered for each word of a caption. It is measured once.
   *
   * @param {Item} item
   * @param {Caption} caption of the photo
   * @returns {Promise<Evidence>}
   */
  async evidence(item, caption) {
    if (caption.evidence) return caption.evidence;
    const words = caption.words.map(({ text }) => text);
    const evidence = await once(this.#measuring, caption, () =>
      this.#engine.evidence(captionedAs(item, caption), words),
    );
    this.#store.addEvidence(caption, evidence);
    return evidence;
  }

  /**
   * Finds the other words at each place of a caption, if they are not known.
   *
   * @param {Item} item
   * @param {Caption} caption of the photo
   */
  async alternatives(item, caption) {
    if (caption.words.every(({ alternatives }) => alternatives)) return;
    const found = await once(this.#finding, caption, () => this.#engine.alternatives(captionedAs(item, caption)));
    this.#store.addAlternatives(caption, found);
  }

  /**
   * Captions all photos, and those to come, with a kind of attention.
   * @param {string} name
   */
  async useAttention(name) {
    this.#store.set({ attention: name });
    for (const item of this.#store.captioned) await this.#turn(item);
    this.#say(`Captions are now written with ${name} attention.`);
  }

  /**
   * Captions a photo anew with the attention that is in use now.
   * @param {Item} item
   */
  async #turn(item) {
    const name = this.#store.state.attention;
    const { key, captions, side } = await this.attend(item, name);
    const late = this.#store.state.attention !== name; // another choice in the meantime
    if (late || item.attention === name || !this.#store.items.includes(item)) return;
    this.#store.update(item, { key, captions, side, attention: name, choice: 0, steered: [] });
  }

  // Starts what may start.
  #pump() {
    const { state } = this.#store;
    while (!state.stopped && this.#running < (this.#answered ? AT_ONCE : 1)) {
      const item = this.#queue.shift();
      if (!item) break;
      this.#running += 1;
      this.#caption(item).finally(async () => {
        if (!this.#answered) await painted();
        this.#answered = true;
        this.#running -= 1;
        this.#pump();
      });
    }
    if (!this.#running) this.complete(); // a large picture takes the browser a moment: not while captions come
  }

  /** @param {Item} item */
  async #caption(item) {
    const { source } = item;
    if (!source) return;
    this.#store.update(item, { attention: this.#store.state.attention });
    /** @type {Partial<Item>} */
    let answer;
    try {
      if ('file' in source && !this.#photoFiles?.saysPhoto(source.file)) await this.#check(source.file);
      const { key, captions, side, preview } = await this.#engine.caption(source, item.attention);
      answer = { state: 'done', key, captions, side, preview: preview ?? '' };
    } catch (error) {
      if (error instanceof Gone && 'recalled' in source && this.#store.items.includes(item)) {
        this.#take(item);
        this.#lost += 1;
        this.#note(gone(this.#lost));
        return;
      }
      answer = { state: 'bad', error: error instanceof Error ? error.message : String(error) };
    }
    if (!this.#store.items.includes(item)) return;
    if (answer.key && this.#store.items.some((each) => each !== item && each.key === answer.key)) {
      this.#take(item);
      this.#say(`${item.name} is here already.`);
      return;
    }
    this.#store.update(item, answer);
    if (item.state === 'done') {
      this.openFirst(item);
      // Another attention was chosen while it was on its way. If that fails, the caption that has come stays.
      if (item.attention !== this.#store.state.attention) await this.#turn(item).catch(() => {});
    }
    const { items } = this.#store;
    const done = items.filter((each) => each.state !== 'waiting').length;
    const said = item.state === 'done' ? textOf(item.captions[0]) : `${item.name}: ${item.error}`;
    this.#say(`${done} of ${items.length}: ${said}`);
  }

  /**
   * Rejects for a file that is not even sent.
   * @param {File} file
   */
  async #check(file) {
    const photo = await this.#photoFiles?.mayBePhoto(file).catch(() => {
      throw new Error('This file can no longer be read; please add it again.');
    });
    if (photo === false) throw new Error('This file is not a photo.');
  }

  /**
   * Opens a photo if none is open. The caption first, then the next photos on their way, then the player.
   * @param {Item} item
   */
  async openFirst(item) {
    if (this.#store.state.item) return;
    await painted();
    await painted();
    if (this.#store.state.item || !this.#store.items.includes(item)) return;
    this.#store.open(item);
    if (!this.#running) this.complete();
  }

  /** @param {Item} item */
  #take(item) {
    this.#queue = this.#queue.filter((each) => each !== item);
    this.#store.remove(item);
    forget(item.url);
    this.complete();
  }
}

/**
 * The answer to a question about a caption, which is asked once; if that fails, it may be asked again.
 *
 * @template T
 * @param {WeakMap<Caption, Promise<T>>} asked
 * @param {Caption} caption
 * @param {() => Promise<T>} ask
 * @returns {Promise<T>}
 */
function once(asked, caption, ask) {
  const known = asked.get(caption) ?? ask();
  asked.set(caption, known);
  return known.finally(() => asked.delete(caption));
}

/**
 * The photo as it was captioned with the attention that wrote one of its captions.
 *
 * @param {Item} item
 * @param {Caption} caption
 * @returns {Item}
 */
function captionedAs(item, caption) {
  const found = Object.entries(item.withAttention).find(([, { captions }]) => captions.includes(caption));
  return found ? { ...item, attention: found[0], key: found[1].key } : item;
}
