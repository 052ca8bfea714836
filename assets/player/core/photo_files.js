/** @import { PhotoRules } from '../types.d.ts' */

/**
 * What follows a name's last dot, with the dot, in lower case; '' if there is none.
 * @param {string} name
 */
export function suffixOf(name) {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(dot).toLowerCase() : '';
}

/** Tells photos from other files, by the rules of capmodel/photo_files.py. */
export class PhotoFiles {
  #photos;
  #others;
  #systemFolder;
  #photoStart;
  #start;

  /** @param {PhotoRules} rules */
  constructor(rules) {
    this.#photos = new Set(rules.photo_suffixes);
    this.#others = new Set(rules.other_suffixes);
    this.#systemFolder = new RegExp(`(?:^|/)(?:${rules.system_folders.join('|')})$`, 'is');
    this.#photoStart = new RegExp(`^(?:${rules.photo_starts.join('|')})`, 's');
    this.#start = rules.start;
  }

  /**
   * Whether a file that the visitor has picked may be a photo: content decides where the name does not.
   * @param {File} file
   */
  async mayBePhoto(file) {
    return this.saysPhoto(file) || this.beginsLikePhoto(file);
  }

  /**
   * Whether a file's name or type says that it is a photo.
   * @param {Pick<File, 'name' | 'type'>} file
   */
  saysPhoto({ name, type }) {
    return type.startsWith('image/') || this.#photos.has(suffixOf(name));
  }

  /**
   * Whether the name of a file in a folder says that it is a photo; null where the content must decide.
   * @param {string} name
   */
  judge(name) {
    const suffix = suffixOf(name);
    return this.#photos.has(suffix) || (this.#others.has(suffix) ? false : null);
  }

  /**
   * Whether a folder holds no photos of the visitor, by its name and that of the folder which it lies in.
   *
   * @param {string} parent
   * @param {string} name
   */
  isSystemFolder(parent, name) {
    return this.#systemFolder.test(`${parent}/${name}`);
  }

  /**
   * Reads only the first bytes of a file.
   * @param {Blob} file
   */
  async beginsLikePhoto(file) {
    const bytes = new Uint8Array(await file.slice(0, this.#start).arrayBuffer());
    return this.#photoStart.test(String.fromCharCode(...bytes)); // a character a byte
  }
}
