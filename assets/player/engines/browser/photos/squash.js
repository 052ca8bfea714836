// A photo's pixels to the network's square: Pillow's own arithmetic (reduce, then bicubic), number for number.

const BITS = 22; // of the weights, as in Pillow's Resample.c

/**
 * RGB pixels, interleaved.
 * @typedef {{ data: Uint8ClampedArray | Uint8Array, width: number, height: number }} Pixels
 */

/**
 * By how much a photo is reduced before it is squashed: as far as both sides keep `size` pixels.
 *
 * @param {number} width
 * @param {number} height
 * @param {number} size
 */
export const reduction = (width, height, size) => Math.max(1, Math.floor(Math.min(width, height) / size));

/**
 * Reduces a part of a photo: each block of factor x factor pixels becomes their mean.
 *
 * @param {Uint8ClampedArray} rgba the part
 * @param {number} width of the part; only the photo's last part may be no multiple of the factor
 * @param {number} height
 * @param {number} factor
 * @param {Pixels} out the reduced photo
 * @param {number} left of the part in the reduced photo
 * @param {number} top
 */
export function reduceInto(rgba, width, height, factor, out, left, top) {
  for (let y = 0; y < height; y += factor) {
    const bottom = Math.min(height, y + factor);
    let to = 3 * ((top + y / factor) * out.width + left);
    for (let x = 0; x < width; x += factor) {
      const right = Math.min(width, x + factor);
      const count = (bottom - y) * (right - x);
      const half = count >> 1;
      let red = half;
      let green = half;
      let blue = half;
      for (let row = y; row < bottom; row++) {
        const end = 4 * (row * width + right);
        for (let at = 4 * (row * width + x); at < end; at += 4) {
          red += rgba[at];
          green += rgba[at + 1];
          blue += rgba[at + 2];
        }
      }
      const multiplier = Math.floor(2 ** 24 / count + 0.5);
      out.data[to++] = Math.floor((red * multiplier) / 2 ** 24);
      out.data[to++] = Math.floor((green * multiplier) / 2 ** 24);
      out.data[to++] = Math.floor((blue * multiplier) / 2 ** 24);
    }
  }
}

/**
 * @param {Uint8ClampedArray} rgba opaque
 * @returns {Uint8Array} RGB
 */
export function withoutAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4) {
    rgb[to++] = rgba[from];
    rgb[to++] = rgba[from + 1];
    rgb[to++] = rgba[from + 2];
  }
  return rgb;
}

/**
 * Resizes a whole photo to a square, whatever its shape: first its rows, then its columns.
 *
 * @param {Pixels} photo
 * @param {number} size
 * @returns {Uint8Array} RGB, (size, size, 3)
 */
export function squash({ data, width, height }, size) {
  const across = width === size ? data : resizeRows(data, width, height, size);
  return height === size ? Uint8Array.from(across) : resizeColumns(across, size, height, size);
}

/**
 * @param {Uint8ClampedArray | Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @param {number} size
 */
function resizeRows(data, width, height, size) {
  const out = new Uint8ClampedArray(size * height * 3);
  const taps = bicubicTaps(width, size);
  for (let y = 0, to = 0; y < height; y++)
    for (const { first, weights } of taps) {
      let at = 3 * (y * width + first);
      let red = 1 << (BITS - 1);
      let green = red;
      let blue = red;
      for (const weight of weights) {
        red += data[at++] * weight;
        green += data[at++] * weight;
        blue += data[at++] * weight;
      }
      out[to++] = red >> BITS; // a clamped array: Pillow clips, too
      out[to++] = green >> BITS;
      out[to++] = blue >> BITS;
    }
  return out;
}

/**
 * @param {Uint8ClampedArray | Uint8Array} data
 * @param {number} width
 * @param {number} height
 * @param {number} size
 */
function resizeColumns(data, width, height, size) {
  const row = 3 * width;
  const out = new Uint8ClampedArray(row * size);
  const sums = new Int32Array(row);
  for (const [y, { first, weights }] of bicubicTaps(height, size).entries()) {
    sums.fill(1 << (BITS - 1));
    for (const [k, weight] of weights.entries())
      for (let x = 0, at = (first + k) * row; x < row; x++, at++) sums[x] += data[at] * weight;
    for (let x = 0; x < row; x++) out[y * row + x] = sums[x] >> BITS;
  }
  return new Uint8Array(out.buffer);
}

/**
 * Which pixels each new pixel mixes, and by which whole numbers: Pillow's `precompute_coeffs`.
 *
 * @param {number} from
 * @param {number} to
 * @returns {{ first: number, weights: Int32Array }[]}
 */
function bicubicTaps(from, to) {
  const scale = from / to;
  const stretch = Math.max(1, scale);
  const support = 2 * stretch;
  return Array.from({ length: to }, (_, pixel) => {
    const centre = (pixel + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - support + 0.5));
    const last = Math.min(from, Math.trunc(centre + support + 0.5));
    const weights = Array.from({ length: last - first }, (_, k) => bicubic((k + first - centre + 0.5) * (1 / stretch)));
    const sum = weights.reduce((a, b) => a + b, 0);
    return {
      first,
      weights: Int32Array.from(weights, (weight) => {
        const scaled = (sum ? weight / sum : weight) * (1 << BITS);
        return Math.trunc(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
      }),
    };
  });
}

/**
 * Keys (1981), with a = -0.5, written as Pillow does.
 * @param {number} x
 */
function bicubic(x) {
  const a = -0.5;
  const d = Math.abs(x);
  if (d < 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? (((d - 5) * d + 8) * d - 4) * a : 0;
}
