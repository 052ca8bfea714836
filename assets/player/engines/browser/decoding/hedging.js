// Hedging by the rules of capmodel/decoding/hedging.py.

/**
 * Gives what two words have in common to the word that holds for either.
 *
 * @param {Float32Array} logprobs of a caption's next token: V
 * @param {number[][]} gendered tokens for men, for women and for either
 * @param {number} share 0..1, how much of the smaller of two probabilities both words give away
 * @returns {Float32Array} new log-probabilities; the same array where nothing is hedged
 */
export function hedge(logprobs, gendered, share) {
  if (!share || !gendered.length) return logprobs;
  const hedged = logprobs.slice();
  for (const tokens of gendered) {
    const [men, women, either] = tokens.map((token) => Math.exp(logprobs[token]));
    const common = share * Math.min(men, women);
    const given = [men - common, women - common, either + 2 * common];
    for (const [at, token] of tokens.entries()) hedged[token] = Math.log(given[at]);
  }
  return hedged;
}
