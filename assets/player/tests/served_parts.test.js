import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { ServedParts } from '../engines/browser/served_parts.js';

const GRAPH = { file: 'encoder.onnx', bytes: 4 };
const CONTENT = new Uint8Array([1, 2, 3, 4]);
const FAILED = /^The captioner could not be downloaded; please check the network and try again\.$/;
const { fetch } = globalThis;
/** @type {Map<string, Map<string, Response>>} */
let stores;
/** @type {string[]} */
let asked;
let online = true;

beforeEach(() => {
  stores = new Map();
  asked = [];
  online = true;
  Object.assign(globalThis, {
    document: { baseURI: 'https://here.example/page/' },
    caches: {
      /** @param {string} name */
      async open(name) {
        const store = stores.get(name) ?? new Map();
        stores.set(name, store);
        return {
          match: async (/** @type {string} */ url) => store.get(url)?.clone(),
          put: async (/** @type {string} */ url, /** @type {Response} */ response) => store.set(url, response),
          delete: async (/** @type {string} */ url) => store.delete(url),
        };
      },
    },
    async fetch(/** @type {string} */ url) {
      asked.push(url);
      if (!online) throw new TypeError('Failed to fetch');
      return new Response(CONTENT);
    },
  });
});

afterEach(() => {
  globalThis.fetch = fetch;
  Reflect.deleteProperty(globalThis, 'document');
  Reflect.deleteProperty(globalThis, 'caches');
});

const parts = (cache = 'captioner 1') =>
  new ServedParts({
    model: 'model/captioner.json',
    script: 'runtime.mjs',
    binary: { file: 'runtime.wasm', bytes: 4 },
    webgpu: false,
    cache,
  });

test('the second visit downloads nothing', async () => {
  /** @type {number[]} */
  const told = [];
  for (let visit = 0; visit < 2; visit += 1) {
    const content = await parts().read(GRAPH, (bytes) => told.push(bytes));
    assert.deepEqual([...new Uint8Array(content)], [...CONTENT]);
    online = false;
  }
  assert.deepEqual(asked, ['https://here.example/page/model/encoder.onnx']);
  assert.deepEqual(told, [4, 4]);
});

test('another version is downloaded anew', async () => {
  await parts().read(GRAPH, () => {});
  await parts('captioner 2').read(GRAPH, () => {});
  assert.equal(asked.length, 2);
});

test('without a name nothing is kept', async () => {
  await parts('').read(GRAPH, () => {});
  assert.equal(stores.size, 0);
});

test('a file of another size is refused in one sentence, and not kept', async () => {
  for (const bytes of [3, 5])
    await assert.rejects(
      parts().read({ ...GRAPH, bytes }, () => {}),
      { message: FAILED },
    );
  await parts().read(GRAPH, () => {});
  assert.equal(asked.length, 3);
});

test('a kept file of another size is downloaded again next time', async () => {
  await parts().read(GRAPH, () => {});
  const [store] = stores.values();
  store.set('https://here.example/page/model/encoder.onnx', new Response(CONTENT.slice(1)));
  await assert.rejects(
    parts().read(GRAPH, () => {}),
    { message: FAILED },
  );
  await parts().read(GRAPH, () => {});
  assert.equal(asked.length, 2);
});

test('without a network and without a cache, one sentence says so', async () => {
  online = false;
  await assert.rejects(
    parts().read(GRAPH, () => {}),
    { message: FAILED },
  );
});
