/** @import { Engine, Item } from '../../types.d.ts' */
import { make } from '../dom.js';

const PICTURE_SIDE = 1600; // longer side of the picture that the page keeps of a photo, in pixels

/**
 * The photo as the page shows it, as an address: made here from the visitor's own file, if the browser can read it.
 *
 * @param {Item} item
 * @param {Engine} engine
 */
export async function pictureOf(item, engine) {
  const { source } = item;
  if (!source) return item.url;
  if ('sample' in source) return source.sample.image.url;
  if ('recalled' in source) return engine.picture(item);
  try {
    return await shrunk(source.file);
  } catch {
    return engine.picture(item); // HEIC, TIFF and the like
  }
}

/** @param {File} file */
async function shrunk(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
  const scale = Math.min(1, PICTURE_SIDE / Math.max(bitmap.width, bitmap.height));
  const picture = make('canvas', {
    width: Math.round(bitmap.width * scale),
    height: Math.round(bitmap.height * scale),
  });
  const context = picture.getContext('2d');
  if (!context) throw new Error('This browser does not draw.');
  context.fillStyle = '#fff'; // what is transparent is captioned on white
  context.fillRect(0, 0, picture.width, picture.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, picture.width, picture.height);
  bitmap.close();
  return URL.createObjectURL(await toJpeg(picture, 0.9));
}

/**
 * @param {HTMLCanvasElement} picture
 * @param {number} quality 0..1
 * @returns {Promise<Blob>}
 */
export function toJpeg(picture, quality) {
  return new Promise((resolve, reject) => {
    picture.toBlob(
      (blob) => (blob ? resolve(blob) : reject(new Error('The picture is empty.'))),
      'image/jpeg',
      quality,
    );
  });
}

/**
 * Gives the memory of a picture back.
 * @param {string} url
 */
export function forget(url) {
  if (url.startsWith('blob:')) URL.revokeObjectURL(url);
}
