/** @import { Engine, Evidence, Item } from '../types.d.ts' */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Captioning } from '../core/captioning.js';
import { PhotoFiles } from '../core/photo_files.js';
import { Store } from '../core/store.js';
import { OFFLINE } from '../engines/offline.js';
import { RULES } from './rules.js';

globalThis.requestAnimationFrame = (tick) => Number(setTimeout(tick));

/** @param {number} ms */
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

/** @param {() => boolean} holds */
async function until(holds) {
  for (const end = Date.now() + 10_000; !holds(); await wait(2)) assert.ok(Date.now() < end, String(holds));
}

/** @param {string} text */
const answerOf = (text) => ({
  key: text,
  captions: [{ words: [{ text, probability: 1, alternatives: [] }], weights: 'AACAPw==', top: 2, score: 0 }],
  side: 1,
  preview: 'data:,',
});

/** A captioning whose engine answers when it is told to. */
function byHand() {
  const store = new Store();
  store.set({ attention: 'softmax' });
  /** @type {string[]} */
  const said = [];
  /** @type {{ name: string, attention: string, answer: (text: string) => void, fail: (why: string) => void }[]} */
  const asked = [];
  /** @type {Engine} */
  const engine = {
    ...OFFLINE,
    caption: (source, attention) =>
      new Promise((resolve, reject) => {
        const name = 'file' in source ? source.file.name : /** @type {any} */ (source).sample.file;
        asked.push({
          name,
          attention,
          answer: (text) => resolve(answerOf(text)),
          fail: (why) => reject(new Error(why)),
        });
      }),
    attend: async (item, attention) => ({
      ...answerOf(`${item.name} with ${attention}`),
      key: `${item.key}-${attention}`,
    }),
    picture: async () => 'data:,full',
  };
  const captioning = new Captioning({
    store,
    engine,
    say: (text) => said.push(text),
    photoFiles: new PhotoFiles(RULES),
    largest: 1000,
    most: 12,
  });
  const files = (/** @type {string[]} */ ...names) =>
    names.map((name) => new File(['x'], name, { type: 'image/jpeg' }));
  return { store, captioning, asked, said, files };
}

test('what is no photo, or too large, is not sent', async () => {
  const { captioning, asked, store } = byHand();
  const photo = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
  const gone = new File([photo], 'gone');
  gone.slice = () => {
    throw new DOMException('A requested file or directory could not be found', 'NotFoundError');
  };
  captioning.addFiles([
    new File(['x'], 'notes.txt', { type: 'text/plain' }),
    new File(['x'.repeat(1001)], 'large.jpg', { type: 'image/jpeg' }),
    gone,
    new File([photo], 'photo.jpg (1)'),
    new File([photo], 'phone.HIF'),
    new File([photo], 'named-wrongly.txt', { type: 'text/plain' }),
    new File(['x'], 'named-wrongly.png', { type: 'image/png' }), // the server will say so
  ]);
  await until(() => asked.length === 4);
  assert.deepEqual(asked.map(({ name }) => name).sort(), [
    'named-wrongly.png',
    'named-wrongly.txt',
    'phone.HIF',
    'photo.jpg (1)',
  ]);
  for (const { name, answer } of asked) answer(name);
  await until(() => store.captioned.length === 4);
  assert.deepEqual(
    store.items.slice(0, 3).map(({ state, error }) => [state, error]),
    [
      ['bad', 'This file is not a photo.'],
      ['bad', 'This file is larger than 0 MB; please make it smaller.'],
      ['bad', 'This file can no longer be read; please add it again.'],
    ],
  );
});

test('there is room for so many photos, and a sentence for the others', async () => {
  const { captioning, store, said, files } = byHand();
  captioning.addFiles(files(...'abcdefghijklmn'));
  assert.deepEqual([store.items.length, store.items[11].name, captioning.room], [12, 'l', 0]);
  const sentence = 'This page holds 12 photos, so 2 were left out; remove some to make room.';
  assert.equal(store.state.note, sentence);
  assert.ok(said.includes(sentence));
  captioning.remove(store.items[0]);
  captioning.addFiles(files('o'));
  assert.deepEqual([store.items.length, store.items[11].name, store.state.note], [12, 'o', '']);
  captioning.addFiles(files('p'));
  assert.match(store.state.note, /so 1 was left out/);
  captioning.clear();
  assert.equal(store.state.note, '');
});

test('of a folder only the photos get cards', async () => {
  const { captioning, asked, store, files } = byHand();
  /** @type {number[]} */
  const rooms = [];
  const adding = captioning.addFolders(['holiday'], async (_, room) => {
    rooms.push(room);
    await wait(1);
    return { files: files('a', 'b'), others: 3, more: 0, unread: 1 };
  });
  assert.equal(store.state.note, 'Looking for photos in \u201Choliday\u201D\u2026');
  await adding;
  assert.equal(store.state.note, '1 file or folder could not be read. 3 other files left out.');
  assert.deepEqual([rooms, store.items.length, asked.length], [[12], 2, 1]);
  await captioning.addFolders(['empty', 'bare'], async () => ({ files: [], others: 0, more: 0, unread: 0 }));
  assert.equal(store.state.note, 'There are no photos in \u201Cempty\u201D, \u201Cbare\u201D.');
  await captioning.addFolders(['huge'], async () => ({ files: [], others: 1, more: 2345, unread: 0 }));
  assert.equal(
    store.state.note,
    '1 other file left out. This page holds 12 photos, so 2,345 were left out; remove some to make room.',
  );
});

test('the first photo goes alone, then six are on their way', async () => {
  const { captioning, asked, store, said, files } = byHand();
  captioning.addFiles(files(...'abcdefghij'));
  assert.deepEqual(
    asked.map(({ name }) => name),
    ['a'],
  );
  asked[0].answer('one');
  await until(() => asked.length === 7 && Boolean(store.state.item));
  assert.equal(asked.length, 7);
  assert.equal(store.state.item, store.items[0]); // the first one is opened
  assert.equal(said.at(-1), '1 of 10: one');
  for (const [k, each] of asked.slice(1).entries()) each.answer(`word${k}`);
  await until(() => asked.length === 10);
});

test('nothing more is sent after a stop, until the visitor goes on', async () => {
  const { captioning, asked, store, files } = byHand();
  captioning.addFiles(files('a', 'b'));
  captioning.toggle();
  asked[0].answer('one');
  await until(() => Boolean(store.state.item));
  await wait(20);
  assert.deepEqual([asked.length, store.captioned.length, store.state.stopped], [1, 1, true]);
  captioning.toggle();
  assert.equal(asked.length, 2);
});

test('the same photo is there once, and an error stands on its card', async () => {
  const { captioning, asked, store, said, files } = byHand();
  captioning.addFiles(files('a', 'b', 'c'));
  asked[0].answer('same');
  await until(() => asked.length === 3);
  asked[1].answer('same');
  asked[2].fail('This file is damaged.');
  await until(() => store.items.every(({ state }) => state !== 'waiting'));
  assert.ok(said.includes('b is here already.'));
  assert.deepEqual(
    store.items.map(({ name, state, error }) => [name, state, error]),
    [
      ['a', 'done', ''],
      ['c', 'bad', 'This file is damaged.'],
    ],
  );
});

test('a photo that is removed on its way does not come back', async () => {
  const { captioning, asked, store, files } = byHand();
  captioning.addFiles(files('a', 'b'));
  captioning.remove(store.items[0]);
  captioning.remove(store.items[0]);
  asked[0].answer('one');
  await wait(20);
  assert.deepEqual([asked.length, store.items.length, store.state.item], [1, 0, null]);
});

test('a photo on its way when another attention is chosen gets its caption too', async () => {
  const { captioning, asked, store, files } = byHand();
  captioning.addFiles(files('a', 'b'));
  asked[0].answer('one');
  await until(() => asked.length === 2);
  await captioning.useAttention('hard');
  assert.deepEqual([asked[1].attention, store.items[0].key], ['softmax', 'one-hard']);
  asked[1].answer('two');
  await until(() => store.items[1].key === 'two-hard');
  assert.deepEqual(
    store.items.map(({ attention, key }) => [attention, key]),
    [
      ['hard', 'one-hard'],
      ['hard', 'two-hard'],
    ],
  );
  await captioning.useAttention('softmax'); // what was found before is not asked for again
  assert.deepEqual(
    store.items.map(({ key }) => key),
    ['one', 'two'],
  );
});

test('the evidence of a caption is asked for once, by the key it was written with, and again if that failed', async () => {
  /** @type {string[]} */
  const asked = [];
  /** @type {Evidence} */
  const evidence = { nats: 'AAAAAA==', top: 1, words: [{ kept: 1, sentence: 'Yes.', unplaced: false }] };
  let broken = true;
  /** @type {Engine} */
  const engine = {
    ...OFFLINE,
    attend: async (item, attention) => ({ ...answerOf(`${item.name} with ${attention}`), key: `${attention}-k` }),
    evidence: async ({ key, attention }, words) => {
      asked.push(`${key} ${attention} ${words}`);
      await wait(1);
      if (broken) throw new Error('Please try again.');
      return evidence;
    },
  };
  const store = new Store();
  const captioning = new Captioning({ store, engine, say: () => {}, photoFiles: null, largest: 0, most: 1 });
  /** @type {Item} */
  const item = store.add({ name: 'x', state: 'done', ...answerOf('dog'), key: 'softmax-k', attention: 'softmax' });
  const [caption] = item.captions;
  await assert.rejects(captioning.evidence(item, caption), /try again/);
  broken = false;
  const both = await Promise.all([captioning.evidence(item, caption), captioning.evidence(item, caption)]);
  assert.deepEqual(both, [evidence, evidence]);
  assert.equal(await captioning.evidence(item, caption), evidence);
  assert.equal(item.captions[0].evidence, evidence);
  const { captions } = await captioning.attend(item, 'hard');
  await captioning.evidence(item, captions[0]);
  assert.deepEqual(asked, ['softmax-k softmax dog', 'softmax-k softmax dog', 'hard-k hard x with hard']);
});
