// Who is next: the worker computes one thing at a time.

/** @typedef {{ run: () => Promise<any>, resolve: (value: any) => void, reject: (reason: unknown) => void }} Waiting */

/**
 * Runs one function after the other: the newest wish of the visitor first, then photos in their order. A camera's frames
 * take turns with the photos that wait.
 */
export class Queue {
  /** @type {Waiting[]} */
  #wishes = [];
  /** @type {Waiting[]} */
  #photos = [];
  /** @type {Waiting[]} */
  #frames = [];
  #photosTurn = true;
  #running = false;

  /**
   * @template T
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  wish(run) {
    return this.#add(this.#wishes, run);
  }

  /**
   * @template T
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  photo(run) {
    return this.#add(this.#photos, run);
  }

  /**
   * @template T
   * @param {() => Promise<T>} run
   * @returns {Promise<T>}
   */
  frame(run) {
    return this.#add(this.#frames, run);
  }

  /**
   * @param {Waiting[]} waiting
   * @param {() => Promise<any>} run
   */
  #add(waiting, run) {
    return new Promise((resolve, reject) => {
      waiting.push({ run, resolve, reject });
      this.#next();
    });
  }

  async #next() {
    if (this.#running) return;
    const next = this.#wishes.pop() ?? this.#inTurn();
    if (!next) return;
    this.#running = true;
    await next.run().then(next.resolve, next.reject);
    this.#running = false;
    this.#next();
  }

  #inTurn() {
    const [first, second] = this.#photosTurn ? [this.#photos, this.#frames] : [this.#frames, this.#photos];
    const next = first.length ? first : second;
    this.#photosTurn = next === this.#frames;
    return next.shift();
  }
}
