/** @import { Item } from '../types.d.ts' */

/**
 * What of a photo is kept over a reload: nothing of the photo itself.
 * @typedef {{ name: string, key: string, sample: string }} Kept
 */

/**
 * Remembers which photos a page had while it is loaded again, or while another page is in its place.
 *
 * They are noted when the page goes out of sight, and taken out when it is seen again. So a tab that is duplicated does not
 * get them, for at that time nothing is noted.
 */
export class Session {
  #storage;
  #name;

  /**
   * @param {Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null} storage of this tab; null: nothing is kept
   * @param {string} address of the page
   */
  constructor(storage, address) {
    this.#storage = storage;
    this.#name = `capmodel photos ${address}`;
  }

  /**
   * @param {readonly Item[]} items
   * @param {string} attention in use
   */
  note(items, attention) {
    /** @type {Kept[]} */
    const kept = items.flatMap(({ state, source, name, key }) =>
      state === 'bad' || !source ? [] : [{ name, key, sample: 'sample' in source ? source.sample.file : '' }],
    );
    try {
      if (kept.length) this.#storage?.setItem(this.#name, JSON.stringify({ kept, attention }));
      else this.#storage?.removeItem(this.#name);
    } catch {
      // storage is full or forbidden
    }
  }

  /** @returns {{ kept: Kept[], attention: string }} what was noted, once */
  take() {
    try {
      const noted = this.#storage?.getItem(this.#name);
      this.#storage?.removeItem(this.#name);
      if (noted) return JSON.parse(noted);
    } catch {
      // forbidden
    }
    return { kept: [], attention: '' };
  }
}

/** The storage of this tab, if the browser allows it. */
export function tabStorage() {
  try {
    return window.sessionStorage;
  } catch {
    return null;
  }
}
