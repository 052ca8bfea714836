// The word clock, which the player and the comparison share.

export const FADE_MS = 350;
export const HOLD_MS = 900;

/**
 * Where a word's turn stands.
 *
 * @param {number} passed milliseconds since it began, times the speed
 * @param {boolean} glides whether its map fades in
 * @returns {{ share: number, over: boolean }} share: of the fade, 0..1; over: the next word's turn has come
 */
export function turnAt(passed, glides) {
  return { share: glides ? Math.min(1, passed / FADE_MS) : 1, over: passed >= FADE_MS + HOLD_MS };
}

/** A word's map glides for FADE_MS, stays for HOLD_MS; then, if the clock is playing, the next word's turn comes. */
export class WordClock {
  #frame = 0;
  #began = 0;
  #glides = false;
  #course;
  #time;

  /**
   * @param {object} course
   * @param {(share: number) => void} course.draw draws the map, so far in its fade
   * @param {() => boolean} course.playing
   * @param {() => number} course.speed
   * @param {() => void} course.next the turn is over
   * @param {{ now: () => number, request: (tick: () => void) => number, cancel: (frame: number) => void }} [time]
   */
  constructor(
    course,
    time = {
      now: () => performance.now(),
      request: (tick) => requestAnimationFrame(tick),
      cancel: (frame) => cancelAnimationFrame(frame),
    },
  ) {
    this.#course = course;
    this.#time = time;
  }

  /**
   * A word's turn begins.
   * @param {boolean} glides
   */
  begin(glides) {
    this.#began = this.#time.now();
    this.#glides = glides;
    this.tick();
  }

  /** Draws the map as it is now, and goes on from there. */
  tick() {
    this.#time.cancel(this.#frame);
    const { draw, playing, speed, next } = this.#course;
    const { share, over } = turnAt((this.#time.now() - this.#began) * speed(), this.#glides);
    draw(share);
    if (share < 1 || (playing() && !over)) this.#frame = this.#time.request(() => this.tick());
    else if (playing()) next();
  }

  stop() {
    this.#time.cancel(this.#frame);
  }
}
