/** @import { Constants, Shown } from '../../types.d.ts' */
import { make } from '../dom.js';
import { evidencePixels, overlayPixels } from './overlay.js';

/**
 * Gives a canvas the pixels that a picture takes on the screen, and empties it; false if it takes none.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {HTMLElement} picture
 */
export function fitCanvas(canvas, picture) {
  const scale = Math.min(2, devicePixelRatio || 1);
  canvas.width = Math.round(picture.clientWidth * scale);
  canvas.height = Math.round(picture.clientHeight * scale);
  return canvas.width > 0 && canvas.height > 0;
}

/** @type {HTMLCanvasElement | null} */
let fine = null; // the drawing in its own size

/**
 * Draws the overlay.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Shown} shown
 * @param {boolean} sharp whether cells keep their edges
 * @param {Constants} constants
 */
export function drawOverlay(canvas, { drawing, top, signed }, sharp, constants) {
  const side = Math.sqrt(drawing.length);
  fine ??= make('canvas');
  if (fine.width !== side || fine.height !== side) fine.width = fine.height = side;
  const context = fine.getContext('2d');
  const target = canvas.getContext('2d');
  if (!context || !target) throw new Error('This browser does not draw.');
  const pixels = signed ? evidencePixels(drawing, top, constants) : overlayPixels(drawing, top, constants);
  context.putImageData(new ImageData(pixels, side, side), 0, 0);
  target.clearRect(0, 0, canvas.width, canvas.height);
  target.imageSmoothingEnabled = !sharp;
  target.imageSmoothingQuality = 'high';
  target.drawImage(fine, 0, 0, canvas.width, canvas.height);
}
