import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Queue } from '../engines/browser/queue.js';

test('wishes come first, the newest before the others; a frame and photos take turns', async () => {
  const queue = new Queue();
  /** @type {string[]} */
  const done = [];
  /** @param {string} name */
  const run = (name) => async () => {
    done.push(name);
  };
  const first = queue.photo(run('photo 1')); // runs at once: nothing else is there
  const others = [
    queue.photo(run('photo 2')),
    queue.photo(run('photo 3')),
    queue.frame(run('frame 1')),
    queue.frame(run('frame 2')),
    queue.frame(run('frame 3')),
    queue.wish(run('wish 1')),
    queue.wish(run('wish 2')),
  ];
  await Promise.all([first, ...others]);
  assert.deepEqual(done, ['photo 1', 'wish 2', 'wish 1', 'frame 1', 'photo 2', 'frame 2', 'photo 3', 'frame 3']);
});

test('what fails is told, and the next one runs', async () => {
  const queue = new Queue();
  const failed = queue.frame(async () => {
    throw new Error('The worker is gone.');
  });
  const next = queue.frame(async () => 2);
  await assert.rejects(failed, /gone/);
  assert.equal(await next, 2);
});
