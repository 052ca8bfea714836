/** @import { Alternative, Caption, Changed, Evidence, Item, State } from '../types.d.ts' */
import { unpack, unpackEvidence } from './drawing/overlay.js';

/** @type {State} */
const INITIAL = {
  item: null,
  caption: null,
  alternatives: false,
  evidence: null,
  view: 'looked',
  word: 0,
  playing: false,
  speed: 1,
  raw: false,
  full: false,
  covered: false,
  sharedTop: null,
  sharedEvidenceTop: null,
  press: null,
  chosen: null,
  guess: null,
  pointed: null,
  panel: null,
  attention: '',
  stopped: false,
  note: '',
};

/** @type {Omit<Item, 'name'>} */
const WAITING = {
  state: 'waiting',
  error: '',
  key: '',
  captions: [],
  choice: 0,
  steered: [],
  side: 0,
  attention: '',
  withAttention: {},
  preview: '',
  url: '',
  source: null,
};

/** @param {Item} item */
const captionOf = (item) => item.steered.at(-1) ?? item.captions[item.choice];

/**
 * What the state says of the caption that is shown.
 * @param {Caption} caption
 */
const shows = (caption) => ({
  caption,
  alternatives: caption.words.every(({ alternatives }) => alternatives),
  evidence: caption.evidence ?? null,
});

/**
 * Whether one of some parts of the state has changed.
 *
 * @param {Changed} changed
 * @param {(keyof State)[]} parts
 */
export const changedAny = (changed, ...parts) => parts.some((part) => changed.has(part));

/**
 * The one owner of what the player knows: its photos, and which word of which caption is shown, and how.
 *
 * Views and panels read it, change it through its methods, and subscribe to changes. They are told at once,
 * in the order in which they subscribed, when the whole change is made.
 */
export class Store {
  #state = { ...INITIAL };
  /** @type {Item[]} */
  #items = [];
  /** @type {Set<(changed: Changed) => void>} */
  #listeners = new Set();
  /** @type {Set<(item: Item, what: 'added' | 'changed' | 'removed') => void>} */
  #itemListeners = new Set();

  /** @returns {Readonly<State>} */
  get state() {
    return this.#state;
  }

  /** @returns {readonly Item[]} */
  get items() {
    return this.#items;
  }

  /** The photos that have captions. */
  get captioned() {
    return this.#items.filter((item) => item.state === 'done');
  }

  /** What the player shows. Throws while it shows nothing. */
  get shown() {
    const { item, caption, word } = this.#state;
    if (!item || !caption) throw new Error('No photo is open.');
    const maps = unpack(caption, item.side);
    const { side } = item;
    /** Null as long as it was not measured. */
    const evidence = caption.evidence ? unpackEvidence(caption, caption.evidence, side) : null;
    return { item, caption, word, text: caption.words[word].text, side, maps, map: maps[word], evidence };
  }

  /** Top of the scale that is in use. */
  get top() {
    return this.#state.sharedTop ?? this.shown.caption.top;
  }

  /** The end of the scale of evidence that is in use, in nats; 0 as long as there is none. */
  get evidenceTop() {
    return this.#state.sharedEvidenceTop ?? this.#state.evidence?.top ?? 0;
  }

  /**
   * @param {(changed: Changed) => void} listener is told which parts of the state have changed
   * @param {AbortSignal} signal ends the subscription
   */
  subscribe(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener));
  }

  /**
   * @param {(item: Item, what: 'added' | 'changed' | 'removed') => void} listener is told of photos
   * @param {AbortSignal} signal
   */
  subscribeToItems(listener, signal) {
    this.#itemListeners.add(listener);
    signal.addEventListener('abort', () => this.#itemListeners.delete(listener));
  }

  /**
   * Changes several parts at once.
   *
   * @param {Partial<State>} changes
   * @param {(keyof State)[]} told also if they are as before
   */
  set(changes, told = []) {
    const keys = /** @type {(keyof State)[]} */ (Object.keys(changes));
    const changed = new Set([...told, ...keys.filter((key) => this.#state[key] !== changes[key])]);
    Object.assign(this.#state, changes);
    if (changed.size) for (const listener of [...this.#listeners]) listener(changed);
  }

  // ---- the player ----

  /**
   * Shows a photo from its first word on.
   * @param {Item} item
   */
  open(item) {
    const caption = shows(captionOf(item));
    this.set({ item, ...caption, word: 0, playing: false, pointed: null }, ['item', 'caption', 'word']);
  }

  /**
   * Shows another word of the caption; after the last comes the first.
   *
   * @param {number} word
   * @param {Partial<State>} changes made at the same time
   */
  show(word, changes = {}) {
    const count = this.shown.caption.words.length;
    this.set({ ...changes, word: (word + count) % count });
  }

  togglePlaying() {
    const { word, playing } = this.#state;
    if (playing) this.set({ playing: false });
    else this.show(this.hasNext ? word : 0, { playing: true });
  }

  /** Whether there is a word after the one that is shown. */
  get hasNext() {
    return this.#state.word + 1 < this.shown.caption.words.length;
  }

  // ---- the photos ----

  /**
   * @param {Partial<Item> & { name: string }} fields
   * @returns {Item}
   */
  add(fields) {
    const item = { ...WAITING, ...fields };
    this.#items.push(item);
    this.#tellOf(item, 'added');
    return item;
  }

  /**
   * Changes a photo. If its caption is in the player, and is then another one, that is shown at the same word.
   *
   * @param {Item} item
   * @param {Partial<Item>} fields
   */
  update(item, fields) {
    Object.assign(item, fields);
    this.#tellOf(item, 'changed');
    const caption = captionOf(item);
    if (item !== this.#state.item || caption === this.#state.caption) return;
    this.set({ ...shows(caption), word: Math.min(this.#state.word, caption.words.length - 1) });
  }

  /**
   * Keeps the other words at each place of a caption.
   *
   * @param {Caption} caption
   * @param {Alternative[][]} alternatives
   */
  addAlternatives(caption, alternatives) {
    caption.words.forEach((word, k) => {
      word.alternatives = alternatives[k];
    });
    if (caption === this.#state.caption) this.set({ alternatives: true });
  }

  /**
   * Keeps what mattered for the words of a caption.
   *
   * @param {Caption} caption
   * @param {Evidence} evidence
   */
  addEvidence(caption, evidence) {
    caption.evidence = evidence;
    if (caption === this.#state.caption) this.set({ evidence });
  }

  /**
   * Removes a photo. If it is in the player, the next one takes its place, or else the one before it.
   * @param {Item} item
   */
  remove(item) {
    const at = this.#items.indexOf(item);
    this.#items.splice(at, 1);
    this.#tellOf(item, 'removed');
    if (item !== this.#state.item) return;
    this.set({ panel: null });
    this.set({ item: null, caption: null, evidence: null, word: 0, playing: false, pointed: null });
    const others = [...this.#items.slice(at), ...this.#items.slice(0, at).reverse()];
    const next = others.find((each) => each.state === 'done');
    if (next) this.open(next);
  }

  /**
   * @param {Item} item
   * @param {'added' | 'changed' | 'removed'} what
   */
  #tellOf(item, what) {
    for (const listener of [...this.#itemListeners]) listener(item, what);
  }
}
