/** @import { Engine, Item, Source } from '../types.d.ts' */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EitherEngine } from '../engines/either.js';

/** @type {string[]} */
let asked = [];

/**
 * @param {string} name
 * @param {Partial<Engine>} more
 */
const engineOf = (name, more = {}) =>
  /** @type {Engine} */ (
    /** @type {unknown} */ ({
      can: (/** @type {string} */ question) => name === 'server' || question === 'save-png',
      caption: async () => ({ key: name, captions: [], side: 8 }),
      attend: async () => ({ key: `${name}, other attention`, captions: [], side: 8 }),
      steer: async () => asked.push(name),
      save: async () => asked.push(`saved by ${name}`),
      load: async () => asked.push('loaded'),
      ...more,
    })
  );
const FILE = /** @type {Source} */ (/** @type {unknown} */ ({ file: {} }));
const photo = (/** @type {string} */ key) => /** @type {Item} */ ({ key });

test('each photo is asked about where it was captioned', async () => {
  asked = [];
  const either = new EitherEngine(engineOf('server'), engineOf('device'));
  const before = photo((await either.caption(FILE, '')).key);
  await either.useDevice(true);
  assert.deepEqual(asked, ['loaded']);
  asked = [];
  const after = photo((await either.caption(FILE, '')).key);
  const turned = photo((await either.attend(after, 'hard')).key);
  assert.equal((await either.caption({ recalled: 'before' }, '')).key, 'server');
  await either.useDevice(false);
  for (const each of [before, after, turned]) await either.steer(each, []);
  assert.deepEqual(asked, ['server', 'device', 'device']);
  assert.equal((await either.caption(FILE, '')).key, 'server');
});

test('what is on this device stays there when files are made', async () => {
  asked = [];
  const either = new EitherEngine(engineOf('server'), engineOf('device'));
  await either.useDevice(true);
  const here = photo((await either.caption(FILE, '')).key);
  const there = photo('server');
  const nothing = () => {};
  await assert.rejects(either.save('gif', [here], false, nothing), /Only the server/);
  await assert.rejects(either.save('zip', [there, here], false, nothing), /Only the server/);
  asked = [];
  await either.save('png', [here], false, nothing);
  await either.save('gif', [there], false, nothing);
  assert.deepEqual(asked, ['saved by device', 'saved by server']);
});

test('a server that takes long is told', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let answer = (/** @type {any} */ _) => {};
  const caption = () => new Promise((resolve) => (answer = resolve));
  const either = new EitherEngine(engineOf('server', { caption }), engineOf('device'));
  let told = 0;
  either.watchBusy(() => {
    told += 1;
  }, new AbortController().signal);
  for (const ms of [3000, 30_000]) {
    const answered = either.caption(FILE, '');
    mock.timers.tick(ms);
    answer({ key: 'server' });
    await answered;
    mock.timers.tick(30_000);
  }
  assert.equal(told, 1);
});
