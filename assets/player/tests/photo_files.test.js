import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PhotoFiles, suffixOf } from '../core/photo_files.js';
import { RULES } from './rules.js';

const photoFiles = new PhotoFiles(RULES);

test('a suffix is what follows the last dot', () => {
  for (const [name, suffix] of [
    ['a.JPG', '.jpg'],
    ['a.b.Mpo', '.mpo'],
    ['a', ''],
    ['.jpg', ''],
    ['a.', '.'],
    ['cat.jpg (1)', '.jpg (1)'],
    ['', ''],
  ])
    assert.equal(suffixOf(name), suffix);
});

test('a name says photo, something else, or nothing', () => {
  assert.deepEqual(
    ['a.jpg', 'b.HIF', 'c.txt', 'film.MP4', 'IMG_0001', 'a.jpg (1)', 'a.xyz'].map((name) => photoFiles.judge(name)),
    [true, true, false, false, null, null, null],
  );
});

test('the type that the browser knows counts for a file that was picked', () => {
  assert.ok(photoFiles.saysPhoto({ name: 'pasted', type: 'image/png' }));
  assert.ok(photoFiles.saysPhoto({ name: 'a.MPO', type: '' }));
  assert.ok(!photoFiles.saysPhoto({ name: 'a.txt', type: 'text/plain' }));
});

test('only the first bytes are read', async () => {
  const start = [0x52, 0x49, 0x46, 0x46, 0x0a, 0xff, 0x0d, 0x00, 0x57, 0x45, 0x42, 0x50]; // line breaks in the size
  assert.ok(await photoFiles.beginsLikePhoto(new Blob([Uint8Array.from(start)])));
  const jpeg = Uint8Array.of(0xff, 0xd8, 0xff);
  assert.ok(await photoFiles.mayBePhoto(new File([jpeg], 'photo')));
  assert.ok(!(await photoFiles.beginsLikePhoto(new Blob([' ', jpeg]))));
  assert.ok(!(await photoFiles.beginsLikePhoto(new Blob([]))));
  const large = new Blob([jpeg, new Uint8Array(5000)]);
  const slice = large.slice.bind(large);
  /** @type {(number | undefined)[]} */
  const ends = [];
  large.slice = (first, end) => {
    ends.push(end);
    return slice(first, end);
  };
  assert.ok(await photoFiles.beginsLikePhoto(large));
  assert.deepEqual(ends, [16]);
});

test('folders of systems, in any case, and only by their whole name', () => {
  for (const [parent, name, expected] of /** @type {[string, string, boolean][]} */ ([
    ['a', '@eaDir', true],
    ['a', '__MACOSX', true],
    ['a', '.thumbnails', true],
    ['a', 'lost+found', true],
    ['My.library', 'previews', true],
    ['My.library', 'originals', false],
    ['@eaDir', 'summer', false],
    ['.photos', 'summer', false],
    ['a', 'my@eaDir', false],
  ]))
    assert.equal(photoFiles.isSystemFolder(parent, name), expected, `${parent}/${name}`);
});
