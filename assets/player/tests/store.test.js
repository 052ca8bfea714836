/** @import { Caption } from '../types.d.ts' */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Store } from '../core/store.js';

const SIDE = 2;

/**
 * @param {string} text
 * @returns {Caption}
 */
function caption(text) {
  const words = text.split(' ').map((word) => ({ text: word, probability: 0.5, alternatives: [] }));
  const weights = Buffer.from(new Float32Array(SIDE * SIDE * words.length).fill(0.25).buffer).toString('base64');
  return /** @type {Caption} */ ({ words, weights, top: 2, score: -1 });
}

/**
 * A store with a photo for each caption, and what it tells.
 * @param {string[]} texts
 */
function storeWith(...texts) {
  const store = new Store();
  const life = new AbortController();
  const items = texts.map((text) =>
    store.add({ name: text, state: 'done', captions: [caption(text), caption(`other ${text}`)], side: SIDE }),
  );
  /** @type {string[][]} */
  const told = [];
  store.subscribe((changed) => told.push([...changed].sort()), life.signal);
  return { store, items, told, life };
}

test('who is told of a photo finds its first word, and never one that its caption does not have', () => {
  const { store, items, told, life } = storeWith('a long caption of words', 'short');
  /** @type {string[]} */
  const seen = [];
  store.subscribe(() => seen.push(store.shown.text), life.signal);
  store.open(items[0]);
  store.show(-1);
  assert.equal(store.shown.text, 'words');
  store.open(items[1]);
  assert.deepEqual(seen, ['a', 'words', 'short']);
  assert.deepEqual(told, [['alternatives', 'caption', 'item', 'word'], ['word'], ['caption', 'item', 'word']]);
});

test('after the last word comes the first', () => {
  const { store, items } = storeWith('one two three');
  store.open(items[0]);
  store.show(3);
  assert.equal(store.state.word, 0);
  store.show(-1);
  assert.equal(store.state.word, 2);
  assert.equal(store.hasNext, false);
});

test('other words come later, and are told of only if their caption is shown', () => {
  const { store, items, told } = storeWith('one two', 'three');
  for (const { captions } of items) for (const word of captions[0].words) delete word.alternatives;
  store.open(items[0]);
  assert.equal(store.state.alternatives, false);
  told.length = 0;
  store.addAlternatives(items[1].captions[0], [[['four', 0.1]]]);
  assert.deepEqual(told, []);
  store.addAlternatives(items[0].captions[0], [[['a', 0.2]], []]);
  assert.deepEqual(told, [['alternatives']]);
  assert.deepEqual(store.shown.caption.words[0].alternatives, [['a', 0.2]]);
  store.open(items[1]);
  assert.equal(store.state.alternatives, true);
});

test('nothing is told of what stays as it is', () => {
  const { store, items, told } = storeWith('one two');
  store.open(items[0]);
  told.length = 0;
  store.show(0);
  store.set({ raw: false, speed: 1 });
  assert.deepEqual(told, []);
  store.set({ raw: true, speed: 1 });
  assert.deepEqual(told, [['raw']]);
});

test('playing begins anew after the last word', () => {
  const { store, items } = storeWith('one two three');
  store.open(items[0]);
  store.show(1);
  store.togglePlaying();
  assert.deepEqual([store.state.playing, store.state.word], [true, 1]);
  store.togglePlaying();
  store.show(2);
  store.togglePlaying();
  assert.deepEqual([store.state.playing, store.state.word], [true, 0]);
});

test('another caption of the photo in the player is shown at the same word, if it has it', () => {
  const { store, items, told } = storeWith('one two three four', 'elsewhere');
  store.open(items[0]);
  store.show(3);
  told.length = 0;
  store.update(items[0], { steered: [caption('one two')] });
  assert.equal(store.shown.text, 'two');
  assert.deepEqual(told, [['caption', 'word']]);
  store.update(items[0], { steered: [] });
  assert.equal(store.shown.caption, items[0].captions[0]);
  store.update(items[0], { choice: 1 });
  assert.equal(store.shown.caption, items[0].captions[1]);
  told.length = 0;
  store.update(items[1], { choice: 1 });
  store.update(items[0], { url: 'blob:x' });
  assert.deepEqual(told, []);
});

test('the photo after a removed one takes its place, or else the one before it', () => {
  const { store, items } = storeWith('a', 'b', 'c');
  const bad = store.add({ name: 'bad', state: 'bad' });
  store.set({ panel: 'Save' });
  store.open(items[1]);
  store.remove(items[1]);
  assert.equal(store.state.item, items[2]);
  assert.equal(store.state.panel, null);
  store.remove(items[2]);
  assert.equal(store.state.item, items[0]);
  store.remove(items[0]);
  assert.equal(store.state.item, null);
  assert.throws(() => store.shown, /No photo/);
  assert.deepEqual(store.items, [bad]);
});

test('the scale is the caption’s own, unless one is shared', () => {
  const { store, items } = storeWith('a');
  store.open(items[0]);
  assert.equal(store.top, 2);
  store.set({ sharedTop: 5 });
  assert.equal(store.top, 5);
});

test('nobody is told any more when the player is taken out', () => {
  const { store, items, told, life } = storeWith('a');
  /** @type {string[]} */
  const heard = [];
  store.subscribeToItems((item, what) => heard.push(`${item.name} ${what}`), life.signal);
  store.update(items[0], { url: 'x' });
  store.add({ name: 'b' });
  store.remove(items[0]);
  assert.deepEqual(heard, ['a changed', 'b added', 'a removed']);
  life.abort();
  store.set({ raw: true });
  store.add({ name: 'c' });
  assert.equal(heard.length, 3);
  assert.deepEqual(told, []);
});

test('evidence belongs to its caption and is told if that is shown', () => {
  const { store, items, told } = storeWith('one two', 'three');
  const [best, other] = items[0].captions;
  const nats = Buffer.from(new Float32Array(SIDE * SIDE * 2).fill(0.5).buffer).toString('base64');
  const evidence = { nats, top: 0.7, words: [] };
  store.open(items[0]);
  told.length = 0;
  const measured = () => store.shown.evidence;
  assert.equal(measured(), null);
  assert.equal(store.evidenceTop, 0);
  store.addEvidence(other, evidence);
  assert.deepEqual(told, []);
  store.addEvidence(best, evidence);
  assert.deepEqual(told, [['evidence']]);
  assert.deepEqual(
    measured()?.map(({ peak }) => peak),
    [0.5, 0.5],
  );
  assert.equal(store.evidenceTop, 0.7);
  store.set({ sharedEvidenceTop: 2 });
  assert.equal(store.evidenceTop, 2);
  store.open(items[1]);
  assert.equal(store.state.evidence, null);
  assert.equal(store.shown.evidence, null);
  store.open(items[0]);
  assert.equal(store.state.evidence, evidence);
  store.remove(items[0]);
  assert.equal(store.state.evidence, null);
});
