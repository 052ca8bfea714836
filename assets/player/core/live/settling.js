/** @import { Captioned } from '../../types.d.ts' */
import { textOf } from '../text.js';

export const STAYS_MS = 1000; // a caption can be read that long at least
const TIMES = 2; // frames in a row that must agree on another caption
const RESTLESS = 4; // frames in a row that say something else, but not the same

/**
 * Which caption of a camera's frames is shown. Another one is shown when two frames in a row agree on it, or when four in
 * a row no longer say what is shown; but none before the last one could be read.
 */
export class Settling {
  /** @type {Captioned | null} */
  shown = null;
  #since = 0;
  #last = '';
  #agreed = 0;
  #others = 0;

  /**
   * Takes what is said of the latest frame.
   *
   * @param {Captioned} latest
   * @param {number} now milliseconds
   * @returns {'another' | 'same' | 'unsettled'} 'same': what is shown now has the maps of this frame
   */
  take(latest, now) {
    const text = textOf(latest.captions[0]);
    this.#agreed = text === this.#last ? this.#agreed + 1 : 1;
    this.#last = text;
    if (this.shown && text === textOf(this.shown.captions[0])) {
      this.#others = 0;
      this.shown = latest;
      return 'same';
    }
    this.#others += 1;
    const settled = this.#agreed >= TIMES || this.#others >= RESTLESS;
    if (this.shown && !(settled && now - this.#since >= STAYS_MS)) return 'unsettled';
    this.shown = latest;
    this.#since = now;
    this.#others = 0;
    return 'another';
  }
}
