/** Keeps the values that were used last, and forgets the others. */
export class Recent {
  /** @type {Map<string, any>} */
  #values = new Map();
  #most;

  /** @param {number} most how many */
  constructor(most) {
    this.#most = most;
  }

  /**
   * @template T
   * @param {string} key
   * @param {T} value
   */
  set(key, value) {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#most) this.#values.delete(/** @type {string} */ (this.#values.keys().next().value));
    return value;
  }

  /** @param {string} key */
  get(key) {
    const value = this.#values.get(key);
    return value === undefined ? undefined : this.set(key, value);
  }
}
