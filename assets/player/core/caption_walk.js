/** @import { Captioned, Constants } from '../types.d.ts' */
import { calm, make } from './dom.js';
import { unpack } from './drawing/overlay.js';
import { Pane } from './pane.js';
import { WordClock } from './timeline.js';

/** A caption that plays over a picture or a video, word by word, and begins again after the last. */
export class CaptionWalk {
  #words;
  #pane;
  #clock;
  #over;
  /** @type {Captioned | null} */
  #captioned = null;
  #word = 0;
  #playing = false;

  /**
   * @param {object} parts
   * @param {HTMLElement} parts.picture
   * @param {HTMLCanvasElement} parts.canvas over it
   * @param {HTMLElement} parts.words where the caption stands
   * @param {Constants} parts.constants
   * @param {number} parts.speed 1 is the player's pace
   * @param {() => void} [parts.over] the last word's turn is over
   */
  constructor({ picture, canvas, words, constants, speed, over }) {
    this.#words = words;
    this.#over = over;
    this.#pane = new Pane(picture, canvas, constants);
    this.#clock = new WordClock({
      draw: (share) => this.#pane.paint(share),
      playing: () => this.#playing,
      speed: () => speed,
      next: () => this.#next(),
    });
  }

  /**
   * Shows another caption, and plays it unless the visitor prefers that nothing moves.
   * @param {Captioned} captioned
   */
  show(captioned) {
    this.#captioned = captioned;
    this.#playing = !calm();
    this.#words.replaceChildren(
      ...captioned.captions[0].words.flatMap(({ text }) => [make('span', { textContent: text }), ' ']),
    );
    this.#turn(0);
  }

  /**
   * The same caption with other maps.
   * @param {Captioned} captioned
   */
  renew(captioned) {
    this.#captioned = captioned;
    this.#aim();
    this.#clock.tick();
  }

  /** Draws again what is shown: the picture has another size. */
  repaint() {
    if (this.#captioned) this.#clock.tick();
  }

  /** Rests, with the bare picture. */
  stop() {
    this.#playing = false;
    this.#clock.stop();
    for (const word of this.#words.children) word.classList.remove('now');
    this.#pane.aim(null, false, false);
    this.#pane.paint(1);
  }

  /** Forgets the caption, too. */
  clear() {
    this.stop();
    this.#captioned = null;
    this.#words.replaceChildren();
  }

  #next() {
    const count = this.#captioned?.captions[0].words.length ?? 0;
    if (this.#word + 1 === count) this.#over?.();
    if (this.#playing) this.#turn((this.#word + 1) % count);
  }

  /** @param {number} word */
  #turn(word) {
    this.#word = word;
    [...this.#words.children].forEach((each, k) => {
      each.classList.toggle('now', this.#playing && k === word);
    });
    this.#aim();
    this.#clock.begin(this.#playing);
  }

  #aim() {
    if (!this.#captioned || !this.#playing) return this.#pane.aim(null, false, false);
    const { captions, side } = this.#captioned;
    this.#pane.aim(
      { drawing: unpack(captions[0], side)[this.#word].smooth, top: captions[0].top, signed: false },
      false,
      true,
    );
  }
}
