// Who is next: the worker computes one thing at a time.

/** @typedef {{ run: () => Promise<any>, resolve: (value: any) => void, reject: (reason: unknown) => void }} Waiting */

/** Runs one function after the other: the newest wish of the visitor first, then photos in their order. */
export class Queue {
  /** @type {Waiting[]} */
  #wishes = [];
  /** @type {Waiting[]} */
  #photos = [];
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
    const next = this.#wishes.pop() ?? this.#photos.shift();
    if (!next) return;
    this.#running = true;
    await next.run().then(next.resolve, next.reject);
    this.#running = false;
    this.#next();
  }
}
