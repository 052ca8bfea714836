// A sheet with the photo and a panel for each word, as capmodel/output/figure.py draws one.

/** @import { Caption, Constants, Shown } from '../../../types.d.ts' */
import { make } from '../../../core/dom.js';
import { drawOverlay } from '../../../core/drawing/canvas.js';
import { unpack, unpackEvidence } from '../../../core/drawing/overlay.js';
import { percent, textOf, times } from '../../../core/text.js';

const PANEL = 320; // pixels of a panel's width
const GAP = 16;
const LINE = 24; // height of a line of text
const FONT = 'system-ui, sans-serif';

/**
 * @param {string} picture address of the photo
 * @param {Caption} caption with evidence: a second map below the first of each word
 * @param {number} side cells along a side of the model's grid
 * @param {Constants} constants
 * @returns {Promise<Blob>} PNG
 */
export async function drawSheet(picture, caption, side, constants) {
  const photo = make('img', { src: picture });
  await photo.decode();
  const { naturalWidth: width, naturalHeight: height } = photo;
  const columns = Math.min(width <= 1.5 * height ? 6 : 4, caption.words.length + 1);
  const down = Math.round(PANEL * Math.min(4, height / width));
  const across = Math.round((down * width) / height);
  const maps = caption.evidence ? 2 : 1; // of a word, one below the other
  const rows = Math.ceil((caption.words.length + 1) / columns);
  const step = { x: PANEL + GAP, y: down + 2 * LINE + GAP };
  const sheet = make('canvas', { width: columns * step.x + GAP, height: maps * rows * step.y + 3 * LINE + GAP });
  const pen = sheet.getContext('2d');
  if (!pen) throw new Error('This browser does not draw.');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, sheet.width, sheet.height);
  write(textOf(caption), sheet.width / 2, 1.5 * LINE, `22px ${FONT}`, '#111');

  /**
   * @param {number} at
   * @param {number} row 0: where it looked; 1: what mattered
   * @param {string} title
   * @param {string} note
   * @param {Shown | null} shown
   */
  const panel = (at, row, title, note, shown) => {
    const x = GAP + (at % columns) * step.x + (PANEL - across) / 2;
    const y = 2 * LINE + GAP + (maps * Math.floor(at / columns) + row) * step.y;
    write(title, x + across / 2, y + 0.75 * LINE, `bold 16px ${FONT}`, '#111');
    pen.drawImage(photo, x, y + LINE, across, down);
    if (shown) {
      const overlay = make('canvas', { width: across, height: down });
      drawOverlay(overlay, shown, false, constants);
      pen.drawImage(overlay, x, y + LINE);
    }
    write(note, x + across / 2, y + LINE + down + 0.75 * LINE, `13px ${FONT}`, '#555');
  };
  panel(0, 0, 'the photo', '', null);
  const looked = unpack(caption, side);
  for (const [at, { text, probability }] of caption.words.entries()) {
    const { smooth, peak } = looked[at];
    const note = `${percent(probability)} \u00B7 ${times(peak)}`;
    panel(at + 1, 0, text, note, { drawing: smooth, top: caption.top, signed: false });
  }
  if (caption.evidence) {
    const { words, top } = caption.evidence;
    for (const [at, { smooth, peak }] of unpackEvidence(caption, caption.evidence, side).entries()) {
      const note = `${times(Math.exp(peak))} \u00B7 keeps ${percent(words[at].kept)}`;
      panel(at + 1, 1, at === 0 ? 'mattered' : '', note, { drawing: smooth, top, signed: true });
    }
  }
  return new Promise((resolve, reject) => {
    sheet.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('The sheet is empty.'))), 'image/png');
  });

  /**
   * @param {string} text
   * @param {number} x of its middle
   * @param {number} y
   * @param {string} font
   * @param {string} color
   */
  function write(text, x, y, font, color) {
    if (!pen) return;
    Object.assign(pen, { font, fillStyle: color, textAlign: 'center' });
    pen.fillText(text, x, y, sheet.width - 2 * GAP);
  }
}
