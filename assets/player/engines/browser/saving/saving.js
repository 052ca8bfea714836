// Files to save that a browser makes itself: capmodel/output/export.py's sheet, JSON and CSV.

import { unpackNumbers } from '../../../core/drawing/overlay.js';
import { pictureOf } from '../../../core/drawing/picture.js';
/** @import { Caption, Constants, Engine, Evidence, FileKind, Item } from '../../../types.d.ts' */
import { textOf } from '../../../core/text.js';
import { drawSheet } from './sheet.js';

const ALTERNATIVES = 5; // columns of the table

/** @type {FileKind[]} */
export const SAVED = ['png', 'json', 'csv'];

/** @typedef {{ name: string, side: number, captions: Caption[] }} CaptionedPhoto the caption that is shown comes first */

/**
 * Makes a file.
 *
 * @param {Engine} engine finds the other captions
 * @param {Constants} constants
 * @param {FileKind} kind one of `SAVED`
 * @param {Item[]} items
 * @param {boolean} evidence whether captions come with it; not in the table
 * @param {(done: number) => void} progress
 */
export async function saveFile(engine, constants, kind, items, evidence, progress) {
  /** @type {CaptionedPhoto[]} */
  const photos = [];
  for (const item of items) {
    photos.push({ name: item.name, side: item.side, captions: await captionsOf(engine, kind, item, evidence) });
    progress(photos.length);
  }
  const file = await made();
  return { url: URL.createObjectURL(file), name: `captions.${kind}` };

  async function made() {
    if (kind === 'csv') return new Blob([toCsv(photos)], { type: 'text/csv' });
    if (kind === 'json') return new Blob([toJson(photos)], { type: 'application/json' });
    const [item] = items;
    const picture = item.url || (await pictureOf(item, engine));
    return drawSheet(picture, photos[0].captions[0], item.side, constants);
  }
}

/**
 * @param {Engine} engine
 * @param {FileKind} kind
 * @param {Item} item
 * @param {boolean} evidence
 */
async function captionsOf(engine, kind, item, evidence) {
  const shown = item.steered.at(-1);
  if (kind === 'csv') return [await withAlternatives(engine, item, shown ?? item.captions[0])];
  const others = kind === 'json' ? await engine.candidates(item) : [];
  const found = [...(shown ? [shown] : []), ...others];
  if (!found.length) found.push(item.captions[0]);
  if (!evidence) return found;
  const measured = [];
  for (const caption of found) {
    const words = caption.words.map(({ text }) => text);
    measured.push({ ...caption, evidence: caption.evidence ?? (await engine.evidence(item, words)) });
  }
  return measured;
}

/**
 * A caption with other words, which the best one has only once somebody has asked.
 *
 * @param {Engine} engine
 * @param {Item} item
 * @param {Caption} caption
 * @returns {Promise<Caption>}
 */
async function withAlternatives(engine, item, caption) {
  if (caption.words.every(({ alternatives }) => alternatives)) return caption;
  const found = await engine.alternatives(item);
  return { ...caption, words: caption.words.map((word, at) => ({ ...word, alternatives: found[at] })) };
}

/**
 * A list with an object for each photo, with its other captions as `candidates`.
 * @param {CaptionedPhoto[]} photos
 */
export function toJson(photos) {
  const told = photos.map(({ name, side, captions: [best, ...others] }) => ({
    photo: name,
    ...asObject(best, side),
    candidates: others.map((caption) => asObject(caption, side)),
  }));
  return JSON.stringify(told, null, 1);
}

/**
 * @param {Caption} caption
 * @param {number} side
 */
function asObject(caption, side) {
  const weights = unpackNumbers(caption.weights);
  const { evidence } = caption;
  const nats = evidence && unpackNumbers(evidence.nats);
  return {
    caption: textOf(caption),
    words: caption.words.map(({ text, probability, alternatives = [] }, word) => ({
      word: text,
      probability,
      attention: rows(weights, word, side, 6),
      alternatives,
      ...(evidence && nats ? { evidence: rows(nats, word, side, 4), kept: evidence.words[word].kept } : {}),
    })),
  };
}

/**
 * A word's map as rows of numbers.
 *
 * @param {Float32Array} values
 * @param {number} word
 * @param {number} side
 * @param {number} digits
 */
function rows(values, word, side, digits) {
  const start = word * side * side;
  return Array.from({ length: side }, (_, row) =>
    Array.from(values.subarray(start + row * side, start + (row + 1) * side), (value) => Number(value.toFixed(digits))),
  );
}

/**
 * A table with a line for each word of each photo's best caption.
 * @param {CaptionedPhoto[]} photos
 */
export function toCsv(photos) {
  const others = Array.from({ length: ALTERNATIVES }, (_, at) => [`instead ${at + 1}`, `probability ${at + 1}`]);
  const lines = [
    ['photo', 'caption', 'position', 'word', 'probability', 'peak', 'row', 'column', ...others.flat()],
    ...photos.flatMap(({ name, side, captions: [caption] }) =>
      caption.words.map(({ text, probability, alternatives = [] }, word) => {
        const map = unpackNumbers(caption.weights).subarray(word * side * side, (word + 1) * side * side);
        const peak = map.reduce((most, value) => Math.max(most, value), 0);
        const cell = map.indexOf(peak);
        const place = [Math.floor(cell / side) + 1, (cell % side) + 1];
        const times = Number((peak * side * side).toFixed(3));
        return [harmless(name), textOf(caption), word + 1, text, probability, times, ...place, ...alternatives.flat()];
      }),
    ),
  ];
  const mark = '\ufeff'; // the byte order mark, which spreadsheets expect
  return mark + lines.map((line) => `${line.map(quoted).join(',')}\r\n`).join('');
}

/** @param {string | number} value */
const quoted = (value) => (/[",\r\n]/.test(`${value}`) ? `"${`${value}`.replaceAll('"', '""')}"` : `${value}`);

/**
 * Quotes text that spreadsheets would take for a formula.
 * @param {string} text
 */
const harmless = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
