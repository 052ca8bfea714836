/** @import { Constants, Drawing, Shown } from '../types.d.ts' */
import { drawOverlay, fitCanvas } from './drawing/canvas.js';
import { mix } from './drawing/overlay.js';

/** A photo under a map, which glides from word to word. */
export class Pane {
  #picture;
  #canvas;
  #constants;
  /** @type {Shown | null} */
  #shown = null;
  #sharp = false;
  /** @type {Drawing | null} */
  #from = null; // what it glides from
  /** @type {Drawing | null} */
  #drawn = null; // what the canvas shows

  /**
   * @param {HTMLElement} picture a photo or a video
   * @param {HTMLCanvasElement} canvas over it
   * @param {Constants} constants
   */
  constructor(picture, canvas, constants) {
    this.#picture = picture;
    this.#canvas = canvas;
    this.#constants = constants;
  }

  /**
   * Chooses the map that the next paintings glide to, from the one that is drawn if both are of the same kind.
   *
   * @param {Shown | null} shown null: the bare photo
   * @param {boolean} sharp whether cells keep their edges
   * @param {boolean} glides
   */
  aim(shown, sharp, glides) {
    this.#from = glides && shown?.signed === this.#shown?.signed ? this.#drawn : null;
    this.#shown = shown;
    this.#sharp = sharp;
  }

  /** @param {number} share of the glide, 0..1 */
  paint(share) {
    this.#drawn = this.#shown && mix(this.#from, this.#shown.drawing, share);
    if (fitCanvas(this.#canvas, this.#picture) && this.#shown && this.#drawn)
      drawOverlay(this.#canvas, { ...this.#shown, drawing: this.#drawn }, this.#sharp, this.#constants);
  }
}
