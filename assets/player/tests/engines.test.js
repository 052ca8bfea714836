/** @import { Item } from '../types.d.ts' */
import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';
import { OFFLINE } from '../engines/offline.js';
import { ServerEngine } from '../engines/server.js';

const ANSWER = { key: 'k', captions: [], side: 8 };
const realFetch = globalThis.fetch;

afterEach(() => {
  globalThis.fetch = realFetch;
});

/**
 * A server that answers one thing after another, and remembers what it was asked.
 * @param {Record<string, object[]>} answers
 */
function serverWith(answers) {
  /** @type {string[]} */
  const asked = [];
  const functions = Object.entries(answers).map(([name, given]) => [
    name,
    async (/** @type {object} */ question) => {
      asked.push(`${name} ${JSON.stringify(question)}`);
      return given.shift();
    },
  ]);
  globalThis.fetch = async (url) => {
    asked.push(`POST ${url}`);
    return new Response(JSON.stringify(answers.photo.shift()));
  };
  return { engine: new ServerEngine(Object.fromEntries(functions)), asked };
}

/** @param {Partial<Item>} fields */
const photo = (fields = {}) =>
  /** @type {Item} */ ({
    key: 'k',
    name: 'x.jpg',
    attention: 'hard',
    steered: [],
    source: { file: new File(['x'], 'x.jpg') },
    ...fields,
  });

test('a photo that has left the server is sent again, once', async () => {
  const { engine, asked } = serverWith({ steer: [{ gone: true }, { words: [] }], photo: [ANSWER] });
  assert.deepEqual(await engine.steer(photo(), ['a']), { words: [] });
  const question = 'steer {"words":["a"],"key":"k"}';
  assert.deepEqual(asked, [question, 'POST photo?attention=hard', question]);
  const again = serverWith({ steer: [{ gone: true }, { gone: true }], photo: [ANSWER] });
  await assert.rejects(again.engine.steer(photo(), ['a']), /no longer on the server/);
});

test('what the server says of a photo is the error', async () => {
  const { engine } = serverWith({ photo: [{ error: 'This file is damaged.' }], occlude: [{ error: 'No.' }] });
  await assert.rejects(engine.caption({ file: new File(['x'], 'x.jpg') }, 'hard'), /^Error: This file is damaged\.$/);
  await assert.rejects(engine.occlude(photo(), ['a'], 0, [1]), /^Error: No\.$/);
});

test('a server that is silent has a sentence', async () => {
  const { engine } = serverWith({});
  await assert.rejects(engine.caption({ file: new File(['x'], 'x.jpg') }, 'hard'), /did not answer/);
});

test('a file is asked for until it is there, and made again if its photos have left', async () => {
  const file = { url: 'saved/1', name: 'captions.json' };
  const { engine, asked } = serverWith({
    known: [{}, { gone: true }],
    make_file: [{ job: 1 }, { job: 2 }],
    file_state: [{ gone: true }, { done: 1 }, file],
    photo: [ANSWER],
  });
  /** @type {number[]} */
  const progress = [];
  assert.deepEqual(await engine.save('json', [photo()], true, (done) => progress.push(done)), file);
  assert.deepEqual(progress, [0, 0, 1]);
  assert.equal(asked.filter((each) => each.startsWith('POST')).length, 1);
  const made = asked.filter((each) => each.startsWith('make_file'));
  const question = { kind: 'json', photos: [{ key: 'k', name: 'x.jpg', words: null }], evidence: true };
  assert.deepEqual(made, Array(2).fill(`make_file ${JSON.stringify(question)}`));
});

test('offline nothing can be asked', async () => {
  for (const question of /** @type {const} */ (['caption', 'steer', 'occlude', 'evidence', 'save']))
    assert.equal(OFFLINE.can(question), false);
  await assert.rejects(OFFLINE.steer(photo(), ['a']), /without the network/);
});
