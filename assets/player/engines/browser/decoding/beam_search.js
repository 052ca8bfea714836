// Beam search by the rules of capmodel/decoding/beam_search.py, for one photo.

/** @import { Hypothesis, Lexicon, Read, SearchOptions, State, Step } from '../types.d.ts' */
import { Refusal } from '../refusal.js';
import { hedge } from './hedging.js';
import { END, PAD, START, UNKNOWN } from './tokenizer.js';

/**
 * One way to go on: the beam that it continues, and the token that it adds.
 * @typedef {{ total: number, parent: number, token: number, logprob: number }} Choice
 */

/**
 * A finished caption: the tokens of one beam up to a step, then the end.
 * @typedef {{ score: number, step: number, beam: number, logprob: number }} End
 */

/**
 * What is kept of a step, for tracing captions back.
 * @typedef {{ read: Step, chosen: Choice[] }} Trace
 */

/**
 * Searches for the most probable captions of a photo.
 *
 * @param {Read} read one step of the decoder
 * @param {number} hiddenSize H
 * @param {SearchOptions} options
 * @param {number[]} prefix the tokens with which the captions must begin
 * @param {Lexicon | null} lexicon without it, repetition costs nothing and nothing is hedged
 * @returns {Promise<Hypothesis[]>} finished captions, best first; fewer than `candidates` if there are not that many
 */
export async function beamSearch(read, hiddenSize, options, prefix = [], lexicon = null) {
  const { beam, max_tokens } = options;
  if (prefix.length > max_tokens)
    throw new Refusal(`A caption has at most ${max_tokens} tokens; please keep fewer words.`);
  let state = startState(beam, hiddenSize);
  let tokens = new Int32Array(beam).fill(START);
  /** @type {number[][]} */
  let history = [[]]; // one a beam that is alive: at the start all beams are equal, so only one counts
  let totals = [0]; // log-probability so far, hedged and less what repetition cost, rounded to float32 as in Python
  /** @type {Trace[]} */
  const steps = [];
  /** @type {End[]} */
  const ends = [];
  for (let length = 0; length <= max_tokens; length++) {
    const step = await read(tokens, state);
    const forced = length === max_tokens ? END : prefix[length];
    const choices = history.flatMap((written, parent) => {
      const logprobs = rowOf(step.logprobs, parent, beam);
      const choose = (/** @type {number} */ token, /** @type {number} */ added) => ({
        total: Math.fround(totals[parent] + added),
        parent,
        token,
        logprob: logprobs[token],
      });
      if (forced !== undefined) return [choose(forced, logprobs[forced])];
      const ranked = lexicon ? hedge(logprobs, lexicon.gendered, options.hedging) : logprobs;
      const { tokens: likely } = largest(ranked, 2 * beam + 4 + length);
      return allowed(likely, written, options).map((token) => {
        const again = lexicon?.beginsContent(token) && written.includes(token);
        return choose(token, again ? Math.fround(ranked[token] - options.repetition_cost) : ranked[token]);
      });
    });
    const best = choices.sort((a, b) => b.total - a.total).slice(0, 2 * beam);
    for (const { total, parent, token, logprob } of best.slice(0, beam)) {
      if (token !== END || total === Number.NEGATIVE_INFINITY) continue;
      ends.push({ score: normalized(total, length + 1, options), step: length, beam: parent, logprob });
    }
    const chosen = best.filter(({ token }) => token !== END).slice(0, beam);
    steps.push({ read: step, chosen });
    if (isDone(ends, chosen, length + 1, options)) break;
    state = continued(step, chosen, beam, hiddenSize);
    tokens = Int32Array.from({ length: beam }, (_, k) => chosen[k]?.token ?? END);
    history = chosen.map(({ parent, token }) => [...history[parent], token]);
    totals = chosen.map(({ total }) => total);
  }
  ends.sort((a, b) => b.score - a.score);
  return ends.slice(0, options.candidates).map((end) => trace(steps, end, options, hiddenSize));
}

/**
 * R, the tokens kept at each step: more than are reported, because some do not begin a word.
 * @param {SearchOptions} options
 */
const topKOf = ({ alternatives }) => 2 * alternatives + 1;

/**
 * @param {number} captions K
 * @param {number} hiddenSize H
 * @returns {State} zeros
 */
export const startState = (captions, hiddenSize) => ({
  hidden: new Float32Array(captions * hiddenSize),
  cell: new Float32Array(captions * hiddenSize),
});

/**
 * @param {Float32Array} values of K captions: (K, N)
 * @param {number} k
 * @param {number} captions K
 * @returns {Float32Array} one caption's: N
 */
export function rowOf(values, k, captions) {
  const size = values.length / captions;
  return values.subarray(k * size, (k + 1) * size);
}

/**
 * @param {Float32Array} values
 * @param {number} count
 * @returns {{ tokens: number[], logprobs: number[] }} where the largest values are, and they themselves
 */
export function largest(values, count) {
  /** @type {number[]} */
  const tokens = [];
  /** @type {number[]} */
  const logprobs = [];
  for (let token = 0; token < values.length; token++) {
    const value = values[token];
    if (logprobs.length === count && !(value > logprobs[count - 1])) continue;
    let at = logprobs.length;
    while (at > 0 && value > logprobs[at - 1]) at -= 1;
    tokens.splice(at, 0, token);
    logprobs.splice(at, 0, value);
    if (tokens.length > count) {
      tokens.pop();
      logprobs.pop();
    }
  }
  return { tokens, logprobs };
}

/**
 * Leaves out the tokens that must not come next.
 *
 * @param {number[]} tokens
 * @param {number[]} history the tokens so far
 * @param {SearchOptions} options
 */
function allowed(tokens, history, { no_repeated_trigram }) {
  const forbidden = new Set([PAD, UNKNOWN, START]);
  if (history.length === 0) forbidden.add(END); // a caption has at least one token
  if (no_repeated_trigram) {
    const [before, last] = history.slice(-2);
    for (let at = 0; at + 2 < history.length; at++)
      if (history[at] === before && history[at + 1] === last) forbidden.add(history[at + 2]);
  }
  return tokens.filter((token) => !forbidden.has(token));
}

/**
 * @param {number} total
 * @param {number} length tokens; the end is one, too
 * @param {SearchOptions} options
 */
const normalized = (total, length, { length_penalty }) => total / length ** length_penalty;

/**
 * Whether there are `beam` finished captions, none worse than the best unfinished one.
 *
 * @param {End[]} ends
 * @param {Choice[]} chosen
 * @param {number} length
 * @param {SearchOptions} options
 */
function isDone(ends, chosen, length, options) {
  if (!chosen.length || chosen[0].total === Number.NEGATIVE_INFINITY) return true;
  if (ends.length < options.beam) return false;
  const scores = ends.map(({ score }) => score).sort((a, b) => b - a);
  return scores[options.beam - 1] >= normalized(chosen[0].total, length, options);
}

/**
 * The state of the beams that go on.
 *
 * @param {Step} step
 * @param {Choice[]} chosen
 * @param {number} beam
 * @param {number} hiddenSize
 */
function continued(step, chosen, beam, hiddenSize) {
  const state = startState(beam, hiddenSize);
  for (const [k, { parent }] of chosen.entries()) {
    const { hidden, cell } = stateOf(step, parent, hiddenSize);
    state.hidden.set(hidden, k * hiddenSize);
    state.cell.set(cell, k * hiddenSize);
  }
  return state;
}

/**
 * One caption's state.
 *
 * @param {State} state
 * @param {number} k
 * @param {number} hiddenSize
 * @returns {State}
 */
const stateOf = ({ hidden, cell }, k, hiddenSize) => ({
  hidden: hidden.subarray(k * hiddenSize, (k + 1) * hiddenSize),
  cell: cell.subarray(k * hiddenSize, (k + 1) * hiddenSize),
});

/**
 * Follows a finished caption back to its start.
 *
 * @param {Trace[]} steps
 * @param {End} end
 * @param {SearchOptions} options
 * @param {number} hiddenSize
 * @returns {Hypothesis}
 */
function trace(steps, end, options, hiddenSize) {
  const { beam } = options;
  const path = [end.beam]; // the beam to read at each step, from last to first
  for (let at = end.step - 1; at >= 0; at--) path.push(steps[at].chosen[path[path.length - 1]].parent);
  path.reverse();
  const walked = steps.slice(0, end.step).map((step, at) => ({ ...step, before: path[at], after: path[at + 1] }));
  return {
    tokens: walked.map(({ chosen, after }) => chosen[after].token),
    score: end.score,
    logprobs: [...walked.map(({ chosen, after }) => chosen[after].logprob), end.logprob],
    weights: walked.map(({ read, before }) => rowOf(read.weights, before, beam)),
    topK: walked.map(({ read, before }) => largest(rowOf(read.logprobs, before, beam), topKOf(options))),
    states: walked.map(({ read, before }) => stateOf(read, before, hiddenSize)),
  };
}
