/** What the captioner in the browser is made of. */

import type { Alternative, Constants, Occlusion } from '../../types.d.ts';

// ---- what Python exports (capmodel/browser/description.py) ----

/** captioner.json: a model without its graphs. */
export interface Exported {
  format: number;
  files: { encoder: ExportedFile };
  /** What writes captions, by kind of attention, the usual one first. */
  kinds: Record<string, { prepare: ExportedFile; step: ExportedFile }>;
  sizes: Sizes;
  interpolation: string;
  decoding: SearchOptions;
  /** The tokenizer's pieces by id. */
  pieces: string[];
  /** How early each piece is merged: the greatest first. */
  scores: number[];
  normalization: Normalization;
  constants: Constants;
}

export interface ExportedFile {
  /** Its path, beside captioner.json. */
  file: string;
  bytes: number;
}

/** Cells along a side of the grid, pixels along a side of the network's photo, length of the decoder's state. */
export interface Sizes {
  image: number;
  side: number;
  hidden: number;
}

/** How captions are searched (capmodel/decoding/options.py). */
export interface SearchOptions {
  beam: number;
  candidates: number;
  length_penalty: number;
  max_tokens: number;
  no_repeated_trigram: boolean;
  /** Nats that a caption loses each time that it names a content word again. */
  repetition_cost: number;
  /** How much of the probability that "man" and "woman" have in common counts for "person": 0..1. */
  hedging: number;
  alternatives: number;
}

/** How text becomes words (capmodel/decoding/tokenizer.py). */
export interface Normalization {
  /** The space before this goes. */
  remove_space_before: string;
  /** What a word is: a regular expression for the flags gu. */
  word: string;
  /** A Unicode form. */
  form: string;
}

/** Where the parts of the captioner are: on a server, or in the page itself. */
export interface Parts {
  exported(): Promise<Exported>;
  /**
   * ONNX Runtime Web: the address of its script, or the script as a file to read; its WebAssembly; whether photos are
   * encoded on the graphics processor, if there is one.
   */
  runtime: { script: string | ExportedFile; binary: ExportedFile; webgpu: boolean };
  /** The content of a file; `progress` is told how many bytes are here. */
  read(file: ExportedFile, progress: (bytes: number) => void): Promise<ArrayBuffer>;
  /** Starts worker.js. */
  worker(): Worker;
}

// ---- in the worker ----

/** The decoder's state of K captions: (K, H) each. */
export interface State {
  hidden: Float32Array;
  cell: Float32Array;
}

/** What a step of the decoder gives for K captions: log-probabilities (K, V) and where it looked, (K, L). */
export interface Step extends State {
  logprobs: Float32Array;
  weights: Float32Array;
}

/** What the search knows of tokens, beside their probabilities. */
export interface Lexicon {
  /** Whether a token begins a content word. */
  beginsContent(token: number): boolean;
  /** Tokens for men, for women and for either. */
  gendered: number[][];
}

/** One step of the decoder for K captions of a photo: reads a token each. */
export type Read = (tokens: Int32Array, state: State) => Promise<Step>;

/** One caption as T tokens, without start and end. */
export interface Hypothesis {
  tokens: number[];
  /** The log-probability, with words hedged and less what repetition cost, length-normalised. */
  score: number;
  /** Of each token, then of the end, as the model gives them: T + 1. */
  logprobs: number[];
  /** Where the decoder looked to choose each token: T times L. */
  weights: Float32Array[];
  /** The most probable tokens at each step, best first. */
  topK: { tokens: number[]; logprobs: number[] }[];
  /** The decoder's state from which each token was chosen. */
  states: State[];
}

/** What the decoder looks at, as the graph `prepare` gives it: for B photos, (B, L, 4H) and (B, L, A). */
export interface Memory {
  photos: number;
  cells: Float32Array;
  keys: Float32Array;
}

/** A file, or the address of an example photo. */
export type PhotoFile = Blob | string;

/** Names a photo to the worker; with `file` it can be read again when its grid is gone. */
export interface Asked {
  photo: string;
  kind: string;
  file: PhotoFile | null;
}

/** The questions of the page to the worker, and their answers. */
export interface Questions {
  start(question: {
    script: string | ArrayBuffer;
    binary: ArrayBuffer;
    exported: Exported;
    threads: number;
    encoder: ArrayBuffer;
    webgpu: boolean;
  }): Promise<{ threads: number }>;
  addDecoder(question: { kind: string; prepare: ArrayBuffer; step: ArrayBuffer }): Promise<void>;
  caption(question: {
    kind: string;
    file: PhotoFile;
  }): Promise<{ photo: string; caption: PlainCaption; preview: Blob }>;
  /** A camera's frame: its pixels, RGBA, (S, S, 4). Nothing of it is kept. */
  frame(question: { kind: string; pixels: Uint8ClampedArray }): Promise<PlainCaption>;
  attend(question: Asked): Promise<PlainCaption>;
  steer(question: Asked & { words: string[]; ends: boolean }): Promise<PlainCaption>;
  /** The best caption, with other words. */
  alternatives(question: Asked): Promise<PlainCaption>;
  candidates(question: Asked & { count: number }): Promise<PlainCaption[]>;
  occlude(
    question: Asked & { words: string[]; index: number; cells: number[] },
  ): Promise<Omit<Occlusion, 'caption'> & { caption: PlainCaption }>;
  evidence(question: Asked & { words: string[] }): Promise<PlainEvidence>;
  picture(question: { file: PhotoFile; longest: number }): Promise<Blob>;
}

/** A caption with its numbers as they were computed. */
export interface PlainCaption {
  words: { text: string; probability: number; alternatives: Alternative[] | null }[];
  /** (words, L) */
  weights: Float32Array;
  score: number;
}

/** For each word: nats (words, L), and the share of its probability that it keeps when all cells are hidden. */
export interface PlainEvidence {
  nats: Float32Array;
  kept: number[];
}
