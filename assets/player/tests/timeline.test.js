import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FADE_MS, HOLD_MS, turnAt, WordClock } from '../core/timeline.js';

const FRAME_MS = 10;

/** Time that passes by hand, a frame at a time. */
function handTime() {
  let now = 1000;
  let wanted = 0;
  /** @type {Map<number, () => void>} */
  const frames = new Map();
  return {
    now: () => now,
    /** @param {() => void} tick */
    request(tick) {
      wanted += 1;
      frames.set(wanted, tick);
      return wanted;
    },
    /** @param {number} frame */
    cancel: (frame) => void frames.delete(frame),
    /** @param {number} ms */
    pass(ms) {
      for (const end = now + ms; now < end; ) {
        now += FRAME_MS;
        const due = [...frames.values()];
        frames.clear();
        for (const tick of due) tick();
      }
    },
    rests: () => frames.size === 0,
  };
}

test('a turn fades, holds, and is over', () => {
  assert.deepEqual(turnAt(0, true), { share: 0, over: false });
  assert.deepEqual(turnAt(FADE_MS / 2, true), { share: 0.5, over: false });
  assert.deepEqual(turnAt(FADE_MS, true), { share: 1, over: false });
  assert.deepEqual(turnAt(FADE_MS + HOLD_MS, true), { share: 1, over: true });
  assert.deepEqual(turnAt(0, false), { share: 1, over: false });
});

/** @param {{ playing?: boolean, speed?: number }} options */
function clockWith({ playing = false, speed = 1 }) {
  const time = handTime();
  /** @type {number[]} */
  const shares = [];
  /** @type {number[]} */
  const turns = [];
  const state = { playing, speed };
  const clock = new WordClock(
    {
      draw: (share) => shares.push(share),
      playing: () => state.playing,
      speed: () => state.speed,
      next: () => {
        turns.push(time.now());
        clock.begin(true);
      },
    },
    time,
  );
  return { time, shares, turns, state, clock };
}

test('a clock that does not play fades once and rests', () => {
  const { time, shares, turns, clock } = clockWith({});
  clock.begin(true);
  time.pass(3000);
  assert.equal(shares[0], 0);
  assert.equal(shares.at(-1), 1);
  assert.equal(shares.length, FADE_MS / FRAME_MS + 1);
  assert.deepEqual(turns, []);
  assert.ok(time.rests());
});

test('a clock that does not glide draws once', () => {
  const { time, shares, clock } = clockWith({});
  clock.begin(false);
  time.pass(1000);
  assert.deepEqual(shares, [1]);
});

for (const speed of [0.5, 1, 2])
  test(`at speed ${speed} the words come in their pace`, () => {
    const { time, turns, clock } = clockWith({ playing: true, speed });
    clock.begin(true);
    time.pass(6000);
    const expected = (FADE_MS + HOLD_MS) / speed;
    assert.ok(turns.length >= 2);
    assert.ok(Math.abs(turns[1] - turns[0] - expected) <= FRAME_MS);
  });

test('what is paused ends its fade, and no other word comes', () => {
  const { time, shares, turns, state, clock } = clockWith({ playing: true });
  clock.begin(true);
  time.pass(FADE_MS / 2);
  state.playing = false;
  time.pass(5000);
  assert.equal(shares.at(-1), 1);
  assert.deepEqual(turns, []);
  assert.ok(time.rests());
});

test('a stopped clock draws no more', () => {
  const { time, shares, clock } = clockWith({ playing: true });
  clock.begin(true);
  time.pass(50);
  clock.stop();
  const drawn = shares.length;
  time.pass(3000);
  assert.equal(shares.length, drawn);
});
