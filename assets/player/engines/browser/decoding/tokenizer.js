// Words to tokens and back, as capmodel/decoding/tokenizer.py and sentencepiece do it.

/** @import { Exported, Lexicon } from '../types.d.ts' */

export const PAD = 0;
export const UNKNOWN = 1;
export const START = 2;
export const END = 3;
const SPACE = '\u2581'; // sentencepiece's mark for "a word begins here"
/**
 * Sub-words by byte-pair encoding.
 *
 * @implements {Lexicon}
 */
export class Tokenizer {
  #pieces;
  #normalization;
  #word;
  /** @type {Map<string, { token: number, score: number }>} */
  #known = new Map();
  /** @type {boolean[]} */
  #beginsContent;
  /**
   * The tokens of words for men, for women and for either, where each is one token.
   * @type {number[][]}
   */
  gendered;

  /** @param {Pick<Exported, 'pieces' | 'scores' | 'normalization' | 'constants'>} exported */
  constructor({ pieces, scores, normalization, constants }) {
    this.#pieces = pieces;
    this.#normalization = normalization;
    this.#word = new RegExp(normalization.word, 'gu');
    for (const [token, piece] of pieces.entries())
      if (token > END) this.#known.set(piece, { token, score: scores[token] });
    const functionWords = new Set(constants.function_words);
    this.#beginsContent = pieces.map(
      (piece) => piece.startsWith(SPACE) && piece.length > 2 && !functionWords.has(piece.slice(1)),
    );
    this.gendered = constants.gendered_words
      .map((words) => words.map((word) => this.#known.get(SPACE + word)?.token ?? UNKNOWN))
      .filter((tokens) => !tokens.includes(UNKNOWN));
  }

  /**
   * Text to tokens, without start and end.
   *
   * @param {string} text
   * @returns {number[]}
   */
  encode(text) {
    const { remove_space_before: ending } = this.#normalization;
    const lower = text.toLowerCase().replaceAll(` ${ending}`, ending);
    return (lower.match(this.#word) ?? []).flatMap((word) => this.#encodeWord(word));
  }

  /**
   * @param {number[]} tokens
   * @returns {string}
   */
  decode(tokens) {
    return this.wordSpans(tokens)
      .map(({ text }) => text)
      .join(' ');
  }

  /**
   * Whether a token continues the word before it. The end token does not, since it ends that word.
   * @param {number} token
   */
  continues(token) {
    return token > END && !this.#pieces[token].startsWith(SPACE);
  }

  /**
   * Whether a token begins a content word. A single letter says too little of how the word goes on.
   * @param {number} token
   */
  beginsContent(token) {
    return this.#beginsContent[token];
  }

  /**
   * The words in order, each with the half-open range of its tokens.
   *
   * @param {number[]} tokens
   * @returns {{ text: string, start: number, stop: number }[]}
   */
  wordSpans(tokens) {
    const starts = [...tokens.keys()].filter((at) => at === 0 || !this.continues(tokens[at]));
    return starts.map((start, word) => {
      const stop = starts[word + 1] ?? tokens.length;
      const pieces = tokens.slice(start, stop).map((token) => this.#pieces[token]);
      return { text: pieces.join('').replaceAll(SPACE, ''), start, stop };
    });
  }

  /**
   * Merges two neighbours as long as there is a piece for any, always those whose piece has the greatest score.
   *
   * @param {string} word
   * @returns {number[]}
   */
  #encodeWord(word) {
    const parts = [SPACE, ...word.normalize(this.#normalization.form)];
    for (;;) {
      let best = Number.NEGATIVE_INFINITY;
      let at = 0;
      for (let i = 0; i + 1 < parts.length; i++) {
        const score = this.#known.get(parts[i] + parts[i + 1])?.score ?? Number.NEGATIVE_INFINITY;
        if (score > best) [best, at] = [score, i];
      }
      if (best === Number.NEGATIVE_INFINITY) break;
      parts.splice(at, 2, parts[at] + parts[at + 1]);
    }
    const tokens = parts.map((part) => this.#known.get(part)?.token ?? UNKNOWN);
    return tokens.filter((token, at) => token !== UNKNOWN || tokens[at - 1] !== UNKNOWN); // a run of unknowns is one
  }
}
