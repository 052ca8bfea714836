/** @import { Captioned } from '../types.d.ts' */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LiveLoop } from '../core/live/loop.js';
import { Settling, STAYS_MS } from '../core/live/settling.js';

/**
 * @param {string} text
 * @returns {Captioned}
 */
const said = (text) => ({
  key: '',
  side: 8,
  captions: [{ words: text.split(' ').map((word) => ({ text: word, probability: 1 })), weights: '', top: 1, score: 0 }],
});

/**
 * What is shown after each frame.
 * @param {string} letters a caption each
 * @param {number} apart milliseconds
 */
function shown(letters, apart = STAYS_MS) {
  const settling = new Settling();
  return [...letters]
    .map((letter, k) => {
      settling.take(said(letter), k * apart);
      return settling.shown?.captions[0].words[0].text;
    })
    .join('');
}

test('another caption is shown when two frames in a row agree', () => {
  assert.equal(shown('aabb'), 'aaab');
  assert.equal(shown('abab'), 'aaaa');
  assert.equal(shown('abacaad'), 'aaaaaaa');
});

test('or when four in a row say something else, but not the same', () => {
  assert.equal(shown('abcdef'), 'aaaaee');
});

test('no caption goes before it could be read', () => {
  assert.equal(shown('abbbbbb', STAYS_MS / 4), 'aaaabbb');
});

test('the maps are those of the latest frame that says what is shown', () => {
  const settling = new Settling();
  const [first, other, second] = [said('a'), said('b'), said('a')];
  assert.equal(settling.take(first, 0), 'another');
  assert.equal(settling.take(other, 5000), 'unsettled');
  assert.equal(settling.shown, first);
  assert.equal(settling.take(second, 6000), 'same');
  assert.equal(settling.shown, second);
});

test('a loop asks for one frame at a time, until it is stopped', async () => {
  let asked = 0;
  /** @type {Captioned[]} */
  const heard = [];
  const loop = new LiveLoop({
    ask: async () => said(String(++asked)),
    hear: (answer) => {
      heard.push(answer);
      if (heard.length === 3) loop.stop();
    },
    warn: assert.fail,
  });
  await loop.run();
  assert.equal(asked, 3);
});

test('a loop that gets no answer tries again, less and less often, and says when it is over', async () => {
  /** @type {number[]} */
  const waits = [];
  /** @type {string[]} */
  const warnings = [];
  let asked = 0;
  const loop = new LiveLoop({
    ask: async () => {
      if (++asked <= 6) throw new Error('gone');
      return said('a');
    },
    hear: () => loop.stop(),
    warn: (text) => warnings.push(text),
    wait: async (ms) => void waits.push(ms),
  });
  await loop.run();
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 4000, 4000]);
  assert.deepEqual(warnings, [...Array(6).fill('gone'), '']);
});

test('what comes after the end is not heard', async () => {
  const loop = new LiveLoop({
    ask: async () => {
      loop.stop();
      return said('a');
    },
    hear: () => assert.fail(),
    warn: assert.fail,
  });
  await loop.run();
});
