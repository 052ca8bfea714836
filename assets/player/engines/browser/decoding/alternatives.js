// The words that the model might have written instead: capmodel/decoding/alternatives.py, for one photo.

/** @import { Hypothesis, Read } from '../types.d.ts' */
/** @import { Tokenizer } from './tokenizer.js' */
import { largest, rowOf, startState } from './beam_search.js';
import { END, PAD, START, UNKNOWN } from './tokenizer.js';

const MAX_PIECES = 8; // tokens in one word

/**
 * A word in the making, and the decoder's state before its last token.
 * @typedef {{ caption: number, word: number, tokens: number[], logprob: number, hidden: Float32Array, cell: Float32Array }} Beginning
 */

/**
 * The most probable other words at each word of each caption.
 *
 * @param {Read} read one step of the decoder
 * @param {Tokenizer} tokenizer
 * @param {Hypothesis[]} found the photo's captions
 * @param {number} count the most alternatives for a word
 * @param {string} endWord stands for the end of the caption
 * @returns {Promise<[text: string, probability: number][][][]>} for each caption and word, best first
 */
export async function wordAlternatives(read, tokenizer, found, count, endWord) {
  const spans = found.map(({ tokens }) => tokenizer.wordSpans(tokens));
  /** @type {Beginning[]} */
  const beginnings = found.flatMap(({ topK, states }, caption) =>
    spans[caption].flatMap(({ start }, word) =>
      firstTokens(tokenizer, topK[start], count + 1).map(({ token, logprob }) => ({
        caption,
        word,
        tokens: [token],
        logprob,
        ...states[start],
      })),
    ),
  );
  await complete(read, tokenizer, beginnings);
  return spans.map((words, caption) =>
    words.map(({ text: written }, word) =>
      beginnings
        .filter((each) => each.caption === caption && each.word === word)
        .map(({ tokens, logprob }) => /** @type {[string, number]} */ ([textOf(tokens), Math.exp(logprob)]))
        .filter(([text]) => text !== written)
        .sort((a, b) => b[1] - a[1])
        .slice(0, count),
    ),
  );

  /** @param {number[]} tokens */
  function textOf(tokens) {
    return tokens[0] === END ? endWord : tokenizer.decode(tokens);
  }
}

/**
 * The most probable tokens that begin a word.
 *
 * @param {Tokenizer} tokenizer
 * @param {{ tokens: number[], logprobs: number[] }} likely
 * @param {number} count
 */
function firstTokens(tokenizer, { tokens, logprobs }, count) {
  return tokens
    .map((token, at) => ({ token, logprob: logprobs[at] }))
    .filter(({ token }) => ![PAD, UNKNOWN, START].includes(token) && !tokenizer.continues(token))
    .slice(0, count);
}

/**
 * Extends each beginning, in place, for as long as the most probable token continues the word.
 *
 * @param {Read} read
 * @param {Tokenizer} tokenizer
 * @param {Beginning[]} beginnings
 */
async function complete(read, tokenizer, beginnings) {
  let going = beginnings.filter(({ tokens }) => tokens[0] !== END);
  for (let piece = 1; piece < MAX_PIECES && going.length; piece++) {
    const size = going[0].hidden.length;
    const state = startState(going.length, size);
    for (const [row, { hidden, cell }] of going.entries()) {
      state.hidden.set(hidden, row * size);
      state.cell.set(cell, row * size);
    }
    const last = Int32Array.from(going, ({ tokens }) => tokens[tokens.length - 1]);
    const { logprobs, hidden, cell } = await read(last, state);
    const captions = going.length;
    going = going.filter((each, row) => {
      const best = largest(rowOf(logprobs, row, captions), 1);
      if (!tokenizer.continues(best.tokens[0])) return false;
      each.tokens.push(best.tokens[0]);
      each.logprob = Math.fround(each.logprob + best.logprobs[0]);
      each.hidden = rowOf(hidden, row, captions);
      each.cell = rowOf(cell, row, captions);
      return true;
    });
  }
}
