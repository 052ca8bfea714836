// What the worker computed, in the player's format: capmodel/output/player.py.

/** @import { Caption, Constants, Evidence } from '../../types.d.ts' */
/** @import { PlainCaption, PlainEvidence } from './types.d.ts' */
import { compareMaps, sentence } from './explain/agreement.js';

/** @param {number} value */
const rounded = (value) => Math.round(1e4 * value) / 1e4;

/**
 * @param {PlainCaption} caption
 * @param {Constants} constants
 * @returns {Caption}
 */
export function toCaption({ words, weights, score }, { clear, least_top }) {
  const cells = weights.length / words.length;
  return {
    words: words.map(({ text, probability, alternatives }) => ({
      text,
      probability: rounded(probability),
      ...(alternatives && { alternatives: alternatives.map(([other, share]) => [other, rounded(share)]) }),
    })),
    weights: pack(weights),
    top: clamped(cells * largest(weights), least_top, clear),
    score: rounded(score),
  };
}

/**
 * @param {PlainEvidence} evidence
 * @param {Float32Array} weights the caption's
 * @param {Constants} constants
 * @returns {Evidence}
 */
export function toEvidence({ nats, kept }, weights, { agreement, evidence_tops }) {
  const cells = nats.length / kept.length;
  const [lowest, highest] = evidence_tops;
  return {
    nats: pack(nats),
    top: clamped(largest(nats.map(Math.abs)), lowest, highest),
    words: kept.map((share, word) => {
      const [start, stop] = [word * cells, (word + 1) * cells];
      const found = compareMaps(weights.subarray(start, stop), nats.subarray(start, stop), share, agreement);
      return {
        kept: rounded(share),
        sentence: sentence(found, word === 0),
        unplaced: found.answer === 'no place',
      };
    }),
  };
}

/** @param {Float32Array} values */
const largest = (values) => values.reduce((most, value) => Math.max(most, value), 0);

/**
 * @param {number} value
 * @param {number} lowest
 * @param {number} highest
 */
const clamped = (value, lowest, highest) => Math.min(highest, Math.max(lowest, value));

/**
 * @param {Float32Array} values
 * @returns {string} base64 of little-endian float32
 */
function pack(values) {
  let text = '';
  for (const byte of new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    text += String.fromCharCode(byte);
  return btoa(text);
}
