/** The player's data, as the server sends it and as the modules hand it around. */

import type { Captioning } from './core/captioning.js';
import type { Store } from './core/store.js';

// ---- what Python sends (capmodel/output/player.py, capmodel/output/page_value.py) ----

export interface Word {
  text: string;
  /** 0..1, after the words before it. */
  probability: number;
  /** Other words for this place, best first. Only where somebody asked. The store adds them. */
  alternatives?: Alternative[];
}

export type Alternative = [text: string, probability: number];

export interface Caption {
  words: Word[];
  /** Base64 of little-endian float32 (words, side * side); each map sums to 1. */
  weights: string;
  /** Top of the caption's scale, in times uniform. */
  top: number;
  score: number;
  /** Only where it was measured. The store adds it. */
  evidence?: Evidence;
}

/** What mattered for the words of a caption: by how many nats each gets less probable when a cell is hidden. */
export interface Evidence {
  /** Laid out as the caption's `weights`. Negative: the cell speaks against the word. */
  nats: string;
  /** The end of the caption's scale, in nats. */
  top: number;
  words: {
    /** The share of its probability that the word keeps when all cells are hidden. */
    kept: number;
    /** Whether it looked where it mattered. */
    sentence: string;
    /** No place mattered, and not all of them together. */
    unplaced: boolean;
  }[];
}

/** A captioned photo as the server answers it. */
export interface Captioned {
  /** Names the photo's content and the attention it was captioned with. */
  key: string;
  captions: Caption[];
  /** Cells along a side of the model's grid. */
  side: number;
  /** A small picture of the photo, as an address. */
  preview?: string;
}

export interface Occlusion {
  before: number;
  after: number;
  elsewhere: number[];
  blind: number;
  caption: Caption;
}

/** An example photo. */
export interface Sample {
  file: string;
  description: string;
  image: { url: string };
  thumbnail: { url: string };
  /** What the bundled model said, and what a person says of that. */
  caption?: string;
  /** The caption with its maps, if it comes with the page. With a key, the photo need not be captioned. */
  captioned?: Captioned;
  /** The caption plays when the page opens. */
  plays?: boolean;
  outcome?: 'right' | 'partly' | 'wrong';
  remark?: string;
}

/** Numbers and words that Python and the player must agree on. */
export interface Constants {
  /** Red, green, blue: 0..255. */
  overlay_color: [number, number, number];
  /** The same, where a cell speaks against a word. */
  against_color: [number, number, number];
  /** Of the overlay where there is no attention, 0..1. */
  opacity: number;
  /** Times uniform: from here on the photo shows unveiled. */
  clear: number;
  /** Of a caption's scale: its top is not below, in times uniform. */
  least_top: number;
  /** Of a caption's scale of evidence: its end is not below the first and not above the second, in nats. */
  evidence_tops: [lowest: number, highest: number];
  agreement: Agreement;
  end_word: string;
  function_words: string[];
  /** Words for men, for women, and for either: the search hedges between them. */
  gendered_words: [men: string, women: string, either: string][];
}

/** From when on a word looked where it mattered (capmodel/explain/agreement.py). */
export interface Agreement {
  /** The share of the cells that are compared. */
  strongest: number;
  /** The share of them that both maps have, in captions that looked where it mattered. */
  overlap: number;
  /** Nats of the strongest cells together. */
  place_matters: number;
  /** The share of its probability that a word keeps that does not depend on the photo. */
  photo_matters: number;
}

export interface PageValue {
  constants: Constants;
  /** Pixels along a side of what the model sees. */
  frame_side: number;
  samples: Sample[];
  /** Names of the kinds of attention, the usual one first. */
  attentions: string[];
  /** Minutes until the server deletes photos; null: they are never sent to one. */
  retention_minutes: number | null;
  largest_bytes: number;
  /** Photos that the page holds. */
  most_photos: number;
  photo_rules: PhotoRules;
}

/** Which files are photos (capmodel/photos/folders.py). Patterns are regular expressions, the same in Python. */
export interface PhotoRules {
  /** Lower case, with the dot. */
  photo_suffixes: string[];
  other_suffixes: string[];
  /** Patterns for NAME or PARENT/NAME, in any case. */
  system_folders: string[];
  /** Patterns for the first bytes, one character each. */
  photo_starts: string[];
  /** How many first bytes. */
  start: number;
}

export interface OfflineValue {
  constants: Constants;
  items: { name: string; captions: Caption[]; side: number; image: { url: string } }[];
}

// ---- the player's own ----

/** Where a photo comes from: a visitor's file, an example, or the page before it was loaded again, by its key. */
export type Source = { file: File } | { sample: Sample } | { recalled: string };

/** What was found in folders. */
export interface FoundPhotos {
  /** In the order of their paths. */
  files: File[];
  /** The number of files that are no photos. Hidden files do not count. */
  others: number;
  /** The number of photos for which the page has no room. */
  more: number;
  /** The number of files and folders that could not be read. */
  unread: number;
}

/** A photo of the page. Only the store writes to it. */
export interface Item {
  readonly name: string;
  readonly state: 'waiting' | 'done' | 'bad';
  readonly error: string;
  readonly key: string;
  readonly captions: Caption[];
  /** Which of the captions is shown. */
  readonly choice: number;
  /** Captions that were steered from there, the latest last; it is the one shown. */
  readonly steered: Caption[];
  readonly side: number;
  /** The attention that it is captioned with. */
  readonly attention: string;
  /** What was found with each kind of attention, by name. */
  readonly withAttention: Record<string, Captioned>;
  readonly preview: string;
  /** Its full picture, or '' while there is none. */
  readonly url: string;
  /** Null in the offline page. */
  readonly source: Source | null;
}

/** A drawing of a map, square, row by row: attention in times uniform, or evidence in nats. */
export type Drawing = Float32Array;

/** A word's attention in times uniform, or its evidence in nats. */
export interface WordMap {
  /** side * side numbers. */
  cells: Float32Array;
  /** The strongest cell. */
  peak: number;
  smooth: Drawing;
  blocks: Drawing;
}

/** Which maps are shown: where the word looked, what mattered for it, or both beside each other. */
export type View = 'looked' | 'mattered' | 'both';

/** What a pane shows over its photo. */
export interface Shown {
  drawing: Drawing;
  /** Of the scale, in the drawing's unit. */
  top: number;
  /** Whether it is evidence, which has a sign. */
  signed: boolean;
}

export type FileKind = 'png' | 'gif' | 'mp4' | 'json' | 'csv' | 'html' | 'zip';

/**
 * Answers what the player asks about photos: the server, or the browser itself. In the offline page nobody can.
 *
 * All methods reject with an Error whose message can be shown to a visitor.
 */
export interface Engine {
  /** Makes it ready, if that takes a while. Otherwise the first question does. */
  load?(): Promise<void>;
  /** Tells how much of what it needs is here, while it is loaded. */
  watchLoading?(listener: Progress, signal: AbortSignal): void;
  /** Captions photos on this device from now on, or no longer; resolves when it can. Only where there is a choice. */
  useDevice?(wished: boolean): Promise<void>;
  /** Tells when the server takes long. */
  watchBusy?(listener: () => void, signal: AbortSignal): void;
  /** Whether it can answer this at all; what it cannot is not offered. */
  can(question: Question): boolean;
  caption(source: Source, attention: string): Promise<Captioned>;
  /** The same photo, captioned with another kind of attention. */
  attend(item: Item, attention: string): Promise<Captioned>;
  /** The best caption that begins with these words. */
  steer(item: Item, words: string[]): Promise<Caption>;
  /** What becomes of a word of a caption when cells of the photo are hidden. */
  occlude(item: Item, words: string[], index: number, cells: number[]): Promise<Occlusion>;
  /** The best captions of the search. */
  candidates(item: Item): Promise<Caption[]>;
  /** At each word of a photo's best caption, other words. */
  alternatives(item: Item): Promise<Alternative[][]>;
  /**
   * A camera's frame, squashed to the size that the model sees. Nothing of it is kept.
   */
  live?(frame: HTMLCanvasElement, attention: string, signal: AbortSignal): Promise<Captioned>;
  /** What mattered for each word of a caption. */
  evidence(item: Item, words: string[]): Promise<Evidence>;
  /** The photo as an address that every browser can show. */
  picture(item: Item): Promise<string>;
  /** Makes a file of photos, with evidence or without; `progress` is told how many are done. */
  save(
    kind: FileKind,
    items: Item[],
    evidence: boolean,
    progress: (done: number) => void,
  ): Promise<{ url: string; name: string }>;
}

/** Is told how many bytes are here, and how many there will be; null when loading has ended or failed. */
export type Progress = (progress: { loaded: number; total: number } | null) => void;

export type Question =
  | 'caption'
  | 'attend'
  | 'steer'
  | 'occlude'
  | 'candidates'
  | 'alternatives'
  | 'live'
  | 'recall'
  | 'evidence'
  | 'picture'
  | 'save'
  | `save-${FileKind}`;

/** What a press on a cell does; `first` is false for cells that a drag goes on to. */
export type Press = (cell: number, first: boolean) => void;

export interface State {
  /** The photo in the player. */
  item: Item | null;
  /** Its caption that is shown. */
  caption: Caption | null;
  /** Whether the other words at each place of the caption are known. */
  alternatives: boolean;
  /** What mattered for the caption's words; null as long as it was not measured. */
  evidence: Evidence | null;
  view: View;
  /** Index of the caption's word that is shown. */
  word: number;
  playing: boolean;
  /** 1 is the usual pace. */
  speed: number;
  /** The model's own cells are shown, with their numbers. */
  raw: boolean;
  full: boolean;
  /** The map is hidden: in the game, until a guess is made. */
  covered: boolean;
  /** Top of the scale while captions are compared; null: each caption has its own. */
  sharedTop: number | null;
  /** The same of the scale of evidence. */
  sharedEvidenceTop: number | null;
  /** Null: cells cannot be pressed. */
  press: Press | null;
  /** The cells that are to be hidden; null: none are being chosen. */
  chosen: ReadonlySet<number> | null;
  /** The cell that was guessed. */
  guess: number | null;
  /** The cell that is pointed at. */
  pointed: number | null;
  /** Name of the panel that is open. */
  panel: string | null;
  /** The kind of attention that photos are captioned with. */
  attention: string;
  /** No more photos are sent until the visitor goes on. */
  stopped: boolean;
  /** What was left out of what was added last; '' if nothing. */
  note: string;
}

export type Changed = ReadonlySet<keyof State>;

/** What every view and panel is given. */
export interface App {
  root: HTMLElement;
  find: import('./core/dom.js').Find;
  store: Store;
  engine: Engine;
  captioning: Captioning;
  constants: Constants;
  /** Aborted when the player is taken out of the page: pass it to every listener. */
  signal: AbortSignal;
  /** Tells screen readers. */
  say(text: string): void;
  /** Opens a photo that the visitor chose. */
  pick(item: Item): void;
}

/** What opens below the caption, one at a time. */
export interface Panel {
  name: string;
  /** Draws into `place` what has changed; called once with everything when it opens. */
  draw(changed: Changed, place: HTMLElement): void;
  close?(): void;
}
