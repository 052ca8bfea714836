/** @import { Caption } from '../types.d.ts' */

/** @param {number} share 0..1 */
export const percent = (share) => (share < 0.01 ? 'under 1 %' : `${Math.round(100 * share)} %`);

/** @param {number} value in times uniform */
export const times = (value) => `${value.toFixed(1)}\u00D7`;

/** @param {Caption} caption */
export const textOf = (caption) => caption.words.map((word) => word.text).join(' ');

/** @param {number[]} values */
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
