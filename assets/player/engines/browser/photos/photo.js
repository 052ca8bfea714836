// A photo's file to pixels, in the worker. What cannot be read is refused in the words of capmodel/photos.

/** @import { PhotoFile } from '../types.d.ts' */
import { Refusal } from '../refusal.js';
import { reduceInto, reduction, squash } from './squash.js';

const MAX_PIXELS = 100_000_000;
const PREVIEW_SIDE = 400; // pixels
const TILE = 2048; // pixels along a side of what is read back at once: a large photo is never in memory twice
const EMPTY = 'This file is empty.';
const NOT_A_PHOTO = 'This file is not a photo in a format that can be read.';
const DAMAGED = 'This file is damaged or cut short, so it cannot be read as a photo.';
const TOO_LARGE = `This photo has more than ${MAX_PIXELS / 1e6} million pixels; please make it smaller.`;
const GONE = 'This file can no longer be read; please add it again.';
const NOT_HERE = 'This photo could not be loaded; please try again.';

/** How files begin, one character a byte. */
const READ_BY_ALL = ['\xff\xd8\xff', '\x89PNG\r\n\x1a\n', 'GIF87a', 'GIF89a', 'RIFF', 'BM'];
const READ_BY_SOME = {
  TIFF: ['II*\0', 'II+\0', 'MM\0*', 'MM\0+'],
  'JPEG 2000': ['\0\0\0\x0cjP  ', '\xff\x4f\xff\x51'],
  AVIF: ['ftypavif', 'ftypavis'], // behind four bytes, as HEIC
  HEIC: ['ftyp'],
};

/**
 * Loads a photo upright, in sRGB, with transparency over white; of an animation, the first frame.
 *
 * @param {PhotoFile} file
 * @param {number} size pixels along a side of the network's square
 * @returns {Promise<{ square: Uint8Array, preview: Blob }>} the square, (size, size, 3), and a small picture
 */
export async function loadPhoto(file, size) {
  const bitmap = await decode(file);
  try {
    return { square: toSquare(bitmap, size), preview: await toPicture(bitmap, PREVIEW_SIDE) };
  } finally {
    bitmap.close();
  }
}

/**
 * A photo as a JPEG.
 *
 * @param {PhotoFile} file
 * @param {number} longest pixels of its longer side
 */
export async function loadPicture(file, longest) {
  const bitmap = await decode(file);
  try {
    return await toPicture(bitmap, longest);
  } finally {
    bitmap.close();
  }
}

/**
 * @param {PhotoFile} file
 * @returns {Promise<ImageBitmap>}
 */
async function decode(file) {
  const blob = typeof file === 'string' ? await download(file) : file;
  if (!blob.size) throw new Refusal(EMPTY);
  /** @type {ImageBitmap} */
  let bitmap;
  try {
    bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image', colorSpaceConversion: 'default' });
  } catch {
    throw new Refusal(await whyNot(blob));
  }
  if (bitmap.width * bitmap.height <= MAX_PIXELS) return bitmap;
  bitmap.close();
  throw new Refusal(TOO_LARGE);
}

/** @param {string} address */
async function download(address) {
  try {
    const response = await fetch(address);
    if (response.ok) return await response.blob();
  } catch {
    // the network is down
  }
  throw new Refusal(NOT_HERE);
}

/**
 * Why a browser could not decode a file.
 * @param {Blob} blob
 */
async function whyNot(blob) {
  /** @type {Uint8Array} */
  let bytes;
  try {
    bytes = new Uint8Array(await blob.slice(0, 32).arrayBuffer());
  } catch {
    return GONE;
  }
  const text = String.fromCharCode(...bytes);
  if (READ_BY_ALL.some((start) => text.startsWith(start))) return DAMAGED;
  for (const [name, starts] of Object.entries(READ_BY_SOME))
    if (starts.some((start) => text.startsWith(start, start.startsWith('ftyp') ? 4 : 0)))
      return `This browser does not read ${name} photos; please save it as JPEG or PNG and add it again.`;
  return NOT_A_PHOTO;
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} size
 */
function toSquare(bitmap, size) {
  const { width, height } = bitmap;
  const factor = reduction(width, height, size);
  const reduced = { width: Math.ceil(width / factor), height: Math.ceil(height / factor) };
  const out = { ...reduced, data: new Uint8Array(3 * reduced.width * reduced.height) };
  const tile = Math.max(1, Math.floor(TILE / factor)) * factor;
  const { canvas, context } = board(Math.min(tile, width), Math.min(tile, height));
  for (let top = 0; top < height; top += tile)
    for (let left = 0; left < width; left += tile) {
      const [across, down] = [Math.min(tile, width - left), Math.min(tile, height - top)];
      context.fillRect(0, 0, across, down);
      context.drawImage(bitmap, left, top, across, down, 0, 0, across, down);
      const { data } = context.getImageData(0, 0, across, down);
      reduceInto(data, across, down, factor, out, left / factor, top / factor);
    }
  canvas.width = canvas.height = 0; // gives its memory back at once
  return squash(out, size);
}

/**
 * @param {ImageBitmap} bitmap
 * @param {number} longest
 */
async function toPicture(bitmap, longest) {
  const scale = Math.min(1, longest / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const { canvas, context } = board(width, height);
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  const picture = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.85 });
  canvas.width = canvas.height = 0;
  return picture;
}

/**
 * A canvas in the processor's memory, where pixels can be read back exactly, and with white to draw on.
 *
 * @param {number} width
 * @param {number} height
 */
function board(width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  if (!context) throw new Refusal('This browser does not draw.');
  context.fillStyle = '#fff';
  return { canvas, context };
}
