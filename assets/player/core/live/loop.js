/** @import { Captioned } from '../../types.d.ts' */

const FIRST_WAIT_MS = 500; // before it tries again; twice as long each time
const LONGEST_WAIT_MS = 4000;

/** Asks for a caption of what the camera sees, again and again, one frame at a time, until it is stopped. */
export class LiveLoop {
  #parts;
  #life = new AbortController();

  /**
   * @param {object} parts
   * @param {(signal: AbortSignal) => Promise<Captioned>} parts.ask about the next frame
   * @param {(answer: Captioned) => void} parts.hear
   * @param {(trouble: string) => void} parts.warn '' when it is over
   * @param {(ms: number) => Promise<void>} [parts.wait]
   */
  constructor({ wait = (ms) => new Promise((done) => setTimeout(done, ms)), ...parts }) {
    this.#parts = { ...parts, wait };
  }

  /** Resolves when it has been stopped and nothing is on its way any more. */
  async run() {
    const { ask, hear, warn, wait } = this.#parts;
    const { signal } = this.#life;
    let pause = 0;
    while (!signal.aborted) {
      try {
        const answer = await ask(signal);
        if (signal.aborted) return;
        if (pause) warn('');
        pause = 0;
        hear(answer);
      } catch (error) {
        if (signal.aborted) return;
        warn(error instanceof Error ? error.message : String(error));
        pause = pause ? Math.min(LONGEST_WAIT_MS, 2 * pause) : FIRST_WAIT_MS;
        await wait(pause);
      }
    }
  }

  stop() {
    this.#life.abort();
  }
}
