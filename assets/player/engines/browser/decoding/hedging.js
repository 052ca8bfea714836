// Hedging by the rules of capmodel/decoding/hedging.py.

/**
 * Gives the probability of two words to the word that holds for either, where neither is clearly more probable.
 *
 * @param {Float32Array} logprobs of a caption's next token: V
 * @param {number[][]} gendered tokens for men, for women and for either
 * @param {number} ratio how many times as probable one of two words must be to be written
 * @returns {Float32Array} the same if nothing is hedged; else a copy in which words for men and women have -Infinity
 */
export function hedge(logprobs, gendered, ratio) {
  const unsure = gendered.filter(([men, women]) => Math.abs(logprobs[men] - logprobs[women]) < Math.log(ratio));
  if (!unsure.length) return logprobs;
  const hedged = logprobs.slice();
  for (const tokens of unsure) {
    const [men, women, either] = tokens;
    hedged[men] = hedged[women] = Number.NEGATIVE_INFINITY;
    hedged[either] = Math.log(tokens.reduce((sum, token) => sum + Math.exp(logprobs[token]), 0));
  }
  return hedged;
}
