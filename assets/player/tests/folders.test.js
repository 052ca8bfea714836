import assert from 'node:assert/strict';
import { test } from 'node:test';
import { handedOver, photosInChosen, photosInDropped } from '../core/folders.js';
import { PhotoFiles } from '../core/photo_files.js';
import { RULES } from './rules.js';

const photoFiles = new PhotoFiles(RULES);
const JPEG = Uint8Array.of(0xff, 0xd8, 0xff, 0xe0);
const MANY = 1000;

/**
 * An entry of a file system; a folder hands its entries over a hundred at a time, as browsers do.
 *
 * @typedef {{ [name: string]: Tree } | Uint8Array | string | null} Tree null cannot be read
 * @param {string} fullPath
 * @param {Tree} content
 * @returns {any}
 */
function entryOf(fullPath, content) {
  const name = fullPath.slice(fullPath.lastIndexOf('/') + 1);
  const refuse = (/** @type {unknown} */ _, /** @type {(error: Error) => void} */ fail) =>
    fail(new DOMException('It cannot be read.', 'NotReadableError'));
  if (content === null && name.includes('.')) return { name, fullPath, isDirectory: false, file: refuse };
  if (content === null) return { name, fullPath, isDirectory: true, createReader: () => ({ readEntries: refuse }) };
  if (typeof content === 'string' || content instanceof Uint8Array)
    return {
      name,
      fullPath,
      isDirectory: false,
      file: (/** @type {(file: File) => void} */ done) =>
        done(new File([/** @type {BlobPart} */ (content)], name, { type: '' })),
    };
  return {
    name,
    fullPath,
    isDirectory: true,
    createReader() {
      const left = Object.entries(content).map(([key, value]) => entryOf(`${fullPath}/${key}`, value));
      return {
        readEntries: (/** @type {(some: any[]) => void} */ done) => setTimeout(() => done(left.splice(0, 100))),
      };
    },
  };
}

/**
 * @param {Record<string, Tree>} trees
 * @param {number} room
 */
async function inDropped(trees, room = MANY) {
  const folders = Object.entries(trees).map(([name, tree]) => entryOf(`/${name}`, tree));
  const { files, ...counts } = await photosInDropped(folders, photoFiles, room);
  return { names: files.map(({ name }) => name), ...counts };
}

/**
 * @param {Record<string, Uint8Array | string>} contents by path
 * @param {number} room
 */
async function inChosen(contents, room = MANY) {
  const chosen = Object.entries(contents).map(([path, content]) => {
    const file = new File([/** @type {BlobPart} */ (content)], path.slice(path.lastIndexOf('/') + 1));
    Object.defineProperty(file, 'webkitRelativePath', { value: path });
    return file;
  });
  const { files, ...counts } = await photosInChosen(chosen, photoFiles, room);
  return { names: files.map(({ name }) => name), ...counts };
}

test('a folder as people have it', async () => {
  assert.deepEqual(
    await inDropped({
      holiday: {
        'z.jpg': JPEG,
        'notes.txt': JPEG,
        'film.mp4': 'x',
        '._a.jpg': JPEG,
        '.thumbnails': { 'a.jpg': JPEG },
        __MACOSX: { '._b.jpg': JPEG, 'c.jpg': JPEG },
        '@eaDir': { 'z.jpg': { 'SYNO_THUMB.jpg': JPEG } },
        summer: { 'b.MPO': JPEG, IMG_0001: JPEG, IMG_0002: 'x', deep: { er: { 'photo.jpg (1)': JPEG } } },
        empty: {},
      },
    }),
    { names: ['IMG_0001', 'b.MPO', 'photo.jpg (1)', 'z.jpg'], others: 3, more: 0, unread: 0 },
  );
});

test('a folder of more than a hundred photos comes in whole, in order', async () => {
  const names = Array.from({ length: 350 }, (_, k) => `${String(k).padStart(3, '0')}.jpg`);
  const found = await inDropped({ a: Object.fromEntries(names.toReversed().map((name) => [name, JPEG])) });
  assert.deepEqual(found.names, names);
});

test('the order is that of the paths, folder by folder', async () => {
  const found = await inDropped({
    b: { '1.jpg': JPEG },
    'a-b': { '2.jpg': JPEG },
    a: { 'b.jpg': JPEG, 'B.jpg': JPEG, b: { '3.jpg': JPEG }, 'b-c': { '4.jpg': JPEG } },
  });
  assert.deepEqual(found.names, ['B.jpg', '3.jpg', '4.jpg', 'b.jpg', '2.jpg', '1.jpg']);
});

test('what cannot be read is counted, and the rest comes in', async () => {
  const found = await inDropped({ a: { closed: null, 'gone.jpg': null, 'gone.xyz': null, 'b.jpg': JPEG }, shut: null });
  assert.deepEqual(found, { names: ['b.jpg'], others: 0, more: 0, unread: 4 });
});

test('beyond the room photos are only counted', async () => {
  const tree = { '1.jpg': JPEG, '2.txt': 'x', '3.jpg': JPEG, '4.jpg': null, '5.jpg': JPEG, '6.txt': 'x', 7: JPEG };
  assert.deepEqual(await inDropped({ a: tree }, 2), { names: ['1.jpg', '3.jpg'], others: 2, more: 3, unread: 0 });
  assert.deepEqual(await inDropped({ a: tree }, 0), { names: [], others: 2, more: 5, unread: 0 });
});

test('the folder that was given may have any name', async () => {
  for (const name of ['.photos', '@eaDir', '__MACOSX', 'lost+found']) {
    assert.deepEqual((await inDropped({ [name]: { 'a.jpg': JPEG, in: { 'b.jpg': JPEG } } })).names, ['a.jpg', 'b.jpg']);
    assert.deepEqual((await inChosen({ [`${name}/a.jpg`]: JPEG, [`${name}/in/b.jpg`]: JPEG })).names, [
      'a.jpg',
      'b.jpg',
    ]);
  }
  assert.deepEqual((await inDropped({ 'My.library': { previews: { 'a.jpg': JPEG } } })).names, []);
});

test('a folder that was chosen is read by the same rules', async () => {
  assert.deepEqual(
    await inChosen({
      'holiday/z.jpg': JPEG,
      'holiday/notes.txt': 'x',
      'holiday/._a.jpg': JPEG,
      'holiday/.thumbnails/a.jpg': JPEG,
      'holiday/deep/@eaDir/z.jpg/THUMB.jpg': JPEG,
      'holiday/deep/@eaDir (1)/IMG_0001': JPEG,
      'holiday/deep/My.library/previews/a.jpg': JPEG,
      'holiday/deep/My.library/originals/b.HIF': JPEG,
      'holiday/data': 'x',
    }),
    { names: ['IMG_0001', 'b.HIF', 'z.jpg'], others: 2, more: 0, unread: 0 },
  );
});

/** @param {object[]} items */
const transfer = (items) => /** @type {any} */ ({ items });

test('what is dropped are files, folders, or neither', () => {
  const file = new File(['x'], 'a.jpg');
  const folder = entryOf('/holiday', {});
  const dropped = handedOver(
    transfer([
      { kind: 'string', getAsFile: () => null },
      { kind: 'file', webkitGetAsEntry: () => folder, getAsFile: () => new File([], 'holiday') },
      { kind: 'file', webkitGetAsEntry: () => ({ isDirectory: false }), getAsFile: () => file },
      { kind: 'file', webkitGetAsEntry: () => null, getAsFile: () => file }, // made by a script
      { kind: 'file', getAsFile: () => file }, // a browser that knows no entries
      { kind: 'file', webkitGetAsEntry: () => null, getAsFile: () => null },
    ]),
  );
  assert.deepEqual(dropped, { files: [file, file, file], folders: [folder] });
  assert.deepEqual(handedOver(null), { files: [], folders: [] });
});
