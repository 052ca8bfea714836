import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  attended,
  blocks,
  evidencePixels,
  fineSide,
  mix,
  overlayPixels,
  smooth,
  smoothEvidence,
  spread,
  unpack,
  unpackEvidence,
} from '../core/drawing/overlay.js';

const SIDES = [2, 8, 10];
const PYTHON_VALUES = [
  [0, 0, 0.342683],
  [0, 63, 0.788231],
  [16, 20, 0.437753],
  [31, 32, 0.936868],
  [40, 5, 0.990364],
  [63, 63, 1.688167],
];

const PYTHON_EVIDENCE = [
  [0, 0, 0.648421],
  [0, 63, -0.256704],
  [16, 20, 0.400041],
  [31, 32, 0.167013],
  [40, 5, 0.006654],
  [63, 63, 1.290174],
  [20, 40, -0.068523],
];

/**
 * A map with one strong cell, in times uniform.
 * @param {number} side
 * @param {number} cell
 */
function peaked(side, cell) {
  const count = side * side;
  const cells = new Float32Array(count).fill(0.5);
  cells[cell] = count - 0.5 * (count - 1);
  return cells;
}

/**
 * A caption as Python sends it.
 * @param {Float32Array[]} maps in times uniform
 */
function captionOf(maps) {
  const weights = Float32Array.from(maps.flatMap((cells) => [...cells].map((value) => value / cells.length)));
  const words = maps.map((_, k) => ({ text: `word${k}`, probability: 0.5, alternatives: [] }));
  const encoded = Buffer.from(weights.buffer).toString('base64');
  return { words, weights: encoded, top: 8, score: -1 };
}

/** @param {Float32Array} drawing */
function brightest(drawing) {
  const at = drawing.indexOf(Math.max(...drawing));
  const fine = Math.sqrt(drawing.length);
  return [Math.floor(at / fine), at % fine];
}

for (const side of SIDES) {
  test(`maps of ${side} by ${side} cells are unpacked word by word`, () => {
    const last = side * side - 1;
    const maps = [peaked(side, 0), peaked(side, side + 1), peaked(side, last)];
    const found = unpack(captionOf(maps), side);
    assert.equal(found.length, 3);
    found.forEach(({ cells, peak }, k) => {
      assert.equal(cells.length, side * side);
      cells.forEach((value, cell) => {
        assert.ok(Math.abs(value - maps[k][cell]) < 1e-4);
      });
      assert.ok(Math.abs(peak - Math.max(...maps[k])) < 1e-4);
    });
  });

  test(`the brightest place of a drawing lies in the strongest of ${side} by ${side} cells`, () => {
    const fine = fineSide(side);
    assert.equal(fine % side, 0);
    for (let cell = 0; cell < side * side; cell++) {
      for (const drawing of [smooth(peaked(side, cell), side), blocks(peaked(side, cell), side)]) {
        assert.equal(drawing.length, fine * fine);
        const [row, column] = brightest(drawing).map((pixel) => Math.floor((pixel * side) / fine));
        assert.equal(row * side + column, cell);
      }
    }
  });

  test(`a flat map of ${side} by ${side} cells stays flat`, () => {
    for (const value of smooth(new Float32Array(side * side).fill(1), side)) assert.ok(Math.abs(value - 1) < 1e-5);
  });

  test(`blocks of ${side} by ${side} cells have the cells' own values all over`, () => {
    const cells = Float32Array.from({ length: side * side }, (_, k) => k);
    const fine = fineSide(side);
    const size = fine / side;
    blocks(cells, side).forEach((value, i) => {
      const [row, column] = [Math.floor(i / fine / size), Math.floor((i % fine) / size)];
      assert.equal(value, cells[row * side + column]);
    });
  });

  test(`the spread over ${side} by ${side} cells goes from 1 to all`, () => {
    const count = side * side;
    const one = new Float32Array(count);
    one[count - 1] = count;
    assert.ok(Math.abs(spread(one) - 1) < 1e-6);
    assert.ok(Math.abs(spread(new Float32Array(count).fill(1)) - count) < 1e-3);
    const half = Float32Array.from({ length: count }, (_, k) => (k < count / 2 ? 2 : 0));
    assert.ok(Math.abs(spread(half) - count / 2) < 1e-3);
  });
}

test('the smooth drawing has the values of capmodel.output.overlay.smooth_map', () => {
  // smooth_map(numpy.arange(1, 5).reshape(2, 2) / 10, 64, 64)[row, column]
  const drawing = smooth(Float32Array.of(0.4, 0.8, 1.2, 1.6), 2);
  for (const [row, column, expected] of PYTHON_VALUES)
    assert.ok(Math.abs(drawing[row * 64 + column] - expected) < 1e-5, `${row}, ${column}`);
});

test('a grid of another side is an error, not a wrong drawing', () => {
  assert.throws(() => unpack(captionOf([peaked(10, 3)]), 8), /8×8/);
});

test('half of the attention is found, in no more than a quarter of the cells', () => {
  const sharp = peaked(10, 42); // 50.5 of 100
  assert.deepEqual([...attended(sharp)], [42]);
  assert.equal(attended(new Float32Array(100).fill(1)).size, 25);
  assert.equal(attended(new Float32Array(64).fill(1)).size, 16);
  assert.equal(attended(new Float32Array(4).fill(1)).size, 1);
});

test('a drawing glides into another one of the same size only', () => {
  const [from, to] = [Float32Array.of(0, 2, 4, 6), Float32Array.of(2, 2, 2, 2)];
  assert.deepEqual([...mix(from, to, 0.5)], [1, 2, 3, 4]);
  assert.equal(mix(from, to, 1), to);
  assert.equal(mix(null, to, 0.5), to);
  assert.equal(mix(new Float32Array(9), to, 0.5), to);
});

test('the overlay is clear from the top on, and thins with the square root', () => {
  const constants = { overlay_color: /** @type {[number, number, number]} */ ([8, 10, 24]), opacity: 0.8 };
  const pixels = overlayPixels(Float32Array.of(0, 2, 8, 20), 8, constants);
  assert.deepEqual([...pixels.slice(0, 4)], [8, 10, 24, 204]);
  assert.deepEqual([pixels[7], pixels[11], pixels[15]], [102, 0, 0]);
});

test('the smooth drawing of evidence has the values of capmodel.output.overlay.smooth_evidence', () => {
  // smooth_evidence(numpy.array([[0.5, -0.2], [0, 1.0]]), 64, 64)[row, column]
  const drawing = smoothEvidence(Float32Array.of(0.5, -0.2, 0, 1), 2);
  for (const [row, column, expected] of PYTHON_EVIDENCE)
    assert.ok(Math.abs(drawing[row * 64 + column] - expected) < 1e-5, `${row}, ${column}`);
});

test('evidence is clear where it speaks for the word, dark where it says nothing, tinted where it speaks against', () => {
  /** @type {[number, number, number]} */
  const dark = [8, 10, 24];
  /** @type {[number, number, number]} */
  const orange = [214, 72, 20];
  const constants = { overlay_color: dark, against_color: orange, opacity: 0.8 };
  const pixels = evidencePixels(Float32Array.of(0, 0.5, 2, 5, -1, -5), 2, constants);
  assert.deepEqual([...pixels.slice(0, 4)], [8, 10, 24, 204]);
  assert.deepEqual([pixels[7], pixels[11], pixels[15]], [153, 0, 0]);
  assert.deepEqual([...pixels.slice(16, 20)], [111, 41, 22, 204]);
  assert.deepEqual([...pixels.slice(20, 24)], [214, 72, 20, 204]);
});

test('evidence keeps its sign, word by word', () => {
  const maps = [Float32Array.of(0.5, -0.2, 0, 1), Float32Array.of(-1, -2, -3, -4)];
  const nats = Buffer.from(Float32Array.from(maps.flatMap((cells) => [...cells])).buffer).toString('base64');
  const caption = captionOf([peaked(2, 0), peaked(2, 1)]);
  const found = unpackEvidence(caption, { nats, top: 1, words: [] }, 2);
  found.forEach(({ cells, blocks }, k) => {
    assert.deepEqual(cells, maps[k]);
    assert.equal(blocks[63], maps[k][1]);
  });
  assert.deepEqual(
    found.map(({ peak }) => peak),
    [1, -1],
  );
  assert.throws(() => unpackEvidence(caption, { nats, top: 1, words: [] }, 8), /8×8/);
});
