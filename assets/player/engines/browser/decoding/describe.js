// From a photo's memory to captions: capmodel/captioner.py's `describe`.

/** @import { Alternative } from '../../../types.d.ts' */
/** @import { Hypothesis, PlainCaption, Read, SearchOptions } from '../types.d.ts' */
/** @import { Tokenizer } from './tokenizer.js' */
import { wordAlternatives } from './alternatives.js';
import { beamSearch } from './beam_search.js';

/**
 * Searches captions of a photo.
 *
 * @param {Read} read one step of the decoder
 * @param {number} hiddenSize H
 * @param {Tokenizer} tokenizer
 * @param {SearchOptions} options
 * @param {string} endWord stands for the end of the caption among alternatives
 * @param {string} [prefix] the words with which the captions must begin
 * @returns {Promise<PlainCaption[]>} best first
 */
export async function describe(read, hiddenSize, tokenizer, options, endWord, prefix = '') {
  const found = await beamSearch(read, hiddenSize, options, tokenizer.encode(prefix), tokenizer);
  const count = options.alternatives;
  const alternatives = count ? await wordAlternatives(read, tokenizer, found, count, endWord) : [];
  return found.map((hypothesis, at) => toCaption(hypothesis, tokenizer, alternatives[at] ?? []));
}

/**
 * @param {Hypothesis} hypothesis
 * @param {Tokenizer} tokenizer
 * @param {Alternative[][]} alternatives none where nobody asked for them
 * @returns {PlainCaption}
 */
function toCaption({ tokens, logprobs, weights, score }, tokenizer, alternatives) {
  const spans = tokenizer.wordSpans(tokens);
  const cells = weights[0].length;
  const maps = new Float32Array(spans.length * cells);
  for (const [word, { start, stop }] of spans.entries())
    for (let cell = 0; cell < cells; cell++) {
      let sum = 0;
      for (let at = start; at < stop; at++) sum += weights[at][cell];
      maps[word * cells + cell] = sum / (stop - start);
    }
  return {
    words: spans.map(({ text, start, stop }, word) => ({
      text,
      probability: Math.exp(logprobs.slice(start, stop).reduce((a, b) => a + b, 0)),
      alternatives: alternatives[word] ?? null,
    })),
    weights: maps,
    score,
  };
}
