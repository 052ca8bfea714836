// The page's end of the line to worker.js.

/** @import { Questions } from './types.d.ts' */

/** @typedef {{ resolve: (value: any) => void, reject: (reason: Error) => void }} Waiting */

/** Asks a worker, and hands its answers back. */
export class WorkerClient {
  #worker;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  #asked = 0;

  /**
   * @param {Worker} worker
   * @param {() => void} broken is told that the worker answers no more
   */
  constructor(worker, broken) {
    this.#worker = worker;
    /** @param {string} what */
    const fail = (what) => {
      broken();
      this.end(`The captioner in this browser stopped (${what}); please try again, or reload the page.`);
    };
    worker.onerror = ({ message }) => fail(message || 'it could not be loaded');
    worker.onmessage = ({ data: { id, answer, refusal, fault } }) => {
      if (fault) return fail(fault);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (refusal) waiting?.reject(new Error(refusal));
      else waiting?.resolve(answer);
    };
  }

  /**
   * @template {keyof Questions} Name
   * @param {Name} question
   * @param {Parameters<Questions[Name]>[0]} content
   * @param {Transferable[]} [transfer]
   * @returns {ReturnType<Questions[Name]>}
   */
  ask(question, content, transfer = []) {
    const answer = new Promise((resolve, reject) => {
      this.#asked += 1;
      this.#waiting.set(this.#asked, { resolve, reject });
      this.#worker.postMessage({ id: this.#asked, question, ...content }, transfer);
    });
    return /** @type {ReturnType<Questions[Name]>} */ (answer);
  }

  /**
   * Stops the worker; what it was asked is answered with this sentence.
   * @param {string} sentence
   */
  end(sentence) {
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Error(sentence));
    this.#waiting.clear();
  }
}
