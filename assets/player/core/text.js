/** @import { Caption, FoundPhotos } from '../types.d.ts' */

/** @param {number} share 0..1 */
export const percent = (share) => (share < 0.01 ? 'under 1 %' : `${Math.round(100 * share)} %`);

/** @param {number} value in times uniform */
export const times = (value) => `${value.toFixed(1)}\u00D7`;

/**
 * How much less or more probable something got.
 * @param {number} nats by which its log-probability fell
 */
export const lessProbable = (nats) => {
  if (Math.exp(Math.abs(nats)) < 1.05) return 'just as probable';
  return `${factor(nats)} ${nats > 0 ? 'less' : 'more'} probable`;
};

/** @param {number} nats of either sign */
export const factor = (nats) => {
  const value = Math.exp(Math.abs(nats));
  return value < 1.995 ? `${value.toFixed(2)}\u00D7` : times(value);
};

/**
 * How much of the captioner is here.
 * @param {{ loaded: number, total: number }} progress in bytes
 */
export const loading = ({ loaded, total }) => {
  const [here, all] = [loaded, total].map((bytes) => Math.round(bytes / 1e6));
  return loaded < total ? `Loading the captioner: ${here} of ${all} MB` : 'Starting the captioner\u2026';
};

/** @param {Caption} caption */
export const textOf = (caption) => caption.words.map((word) => word.text).join(' ');

/** @param {number[]} values */
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {string[]} names */
export const quoted = (names) => names.map((name) => `\u201C${name}\u201D`).join(', ');

/** @param {number} count */
const grouped = (count) => count.toLocaleString('en');

/**
 * @param {number} count photos for which there was no room
 * @param {number} most photos that the page holds
 */
export const tooMany = (count, most) =>
  `This page holds ${grouped(most)} photos, so ${grouped(count)} ${count === 1 ? 'was' : 'were'} left out; remove some to make room.`;

/**
 * What of some folders is not among their photos.
 *
 * @param {FoundPhotos} found
 * @param {string[]} names of the folders
 * @param {number} most photos that the page holds
 */
export function leftOut({ files, others, more, unread }, names, most) {
  const sentences = [];
  if (!files.length && !more) sentences.push(`There are no photos in ${quoted(names)}.`);
  if (unread)
    sentences.push(`${grouped(unread)} ${unread === 1 ? 'file or folder' : 'files or folders'} could not be read.`);
  if (others) sentences.push(`${grouped(others)} other file${others === 1 ? '' : 's'} left out.`);
  if (more) sentences.push(tooMany(more, most));
  return sentences.join(' ');
}

/** @param {number} count photos that a page had before it was loaded again */
export const gone = (count) =>
  `${grouped(count)} ${count === 1 ? 'photo' : 'photos'} of before this page was loaded again ${count === 1 ? 'is' : 'are'} gone; please add ${count === 1 ? 'it' : 'them'} again.`;
