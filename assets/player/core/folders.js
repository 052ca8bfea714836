/** @import { FoundPhotos } from '../types.d.ts' */
/** @import { PhotoFiles } from './photo_files.js' */

const AT_ONCE = 64; // files to open: one by one, each would wait for the browser's process of files

/**
 * A file in a folder.
 * @typedef {{ path: string, open: () => Promise<File> }} Listed
 */

/**
 * What was dropped or pasted. Only during the event can it be asked for.
 *
 * @param {DataTransfer | null} transfer
 * @returns {{ files: File[], folders: FileSystemDirectoryEntry[] }}
 */
export function handedOver(transfer) {
  /** @type {File[]} */
  const files = [];
  /** @type {FileSystemDirectoryEntry[]} */
  const folders = [];
  for (const item of transfer?.items ?? []) {
    if (item.kind !== 'file') continue;
    const entry = item.webkitGetAsEntry?.();
    const file = item.getAsFile();
    if (entry?.isDirectory) folders.push(/** @type {FileSystemDirectoryEntry} */ (entry));
    else if (file) files.push(file);
  }
  return { files, folders };
}

/**
 * The photos in folders that were dropped, and in the folders below them.
 *
 * @param {FileSystemDirectoryEntry[]} folders
 * @param {PhotoFiles} photoFiles
 * @param {number} room the most photos to return
 * @returns {Promise<FoundPhotos>}
 */
export async function photosInDropped(folders, photoFiles, room) {
  /** @type {Listed[]} */
  const listed = [];
  let unread = 0;
  const waiting = [...folders];
  for (let folder = waiting.pop(); folder; folder = waiting.pop()) {
    const entries = await readAll(folder).catch(() => null);
    if (!entries) unread += 1;
    for (const entry of entries ?? []) {
      if (entry.name.startsWith('.')) continue;
      if (!entry.isDirectory) {
        const file = /** @type {FileSystemFileEntry} */ (entry);
        listed.push({ path: entry.fullPath, open: () => new Promise((done, fail) => file.file(done, fail)) });
      } else if (!photoFiles.isSystemFolder(folder.name, entry.name)) {
        waiting.push(/** @type {FileSystemDirectoryEntry} */ (entry));
      }
    }
  }
  const found = await choose(listed, photoFiles, room);
  return { ...found, unread: found.unread + unread };
}

/**
 * The photos of a folder that was chosen, which the browser gives as one list of all files in it.
 *
 * @param {File[]} files
 * @param {PhotoFiles} photoFiles
 * @param {number} room
 * @returns {Promise<FoundPhotos>}
 */
export function photosInChosen(files, photoFiles, room) {
  /** @param {string} path */
  const passedOver = (path) => {
    const names = path.split('/');
    const folders = names.slice(0, -1);
    return (
      names[names.length - 1].startsWith('.') ||
      folders.some((name, depth) => depth > 0 && photoFiles.isSystemFolder(folders[depth - 1], name))
    );
  };
  const listed = files
    .filter((file) => !passedOver(file.webkitRelativePath))
    .map((file) => ({ path: file.webkitRelativePath, open: async () => file }));
  return choose(listed, photoFiles, room);
}

/**
 * @param {Listed[]} listed
 * @param {PhotoFiles} photoFiles
 * @param {number} room
 * @returns {Promise<FoundPhotos>}
 */
async function choose(listed, photoFiles, room) {
  /** @type {FoundPhotos} */
  const found = { files: [], others: 0, more: 0, unread: 0 };
  /** @type {(Listed & { says: boolean | null })[]} */
  const left = [];
  for (const each of inOrder(listed)) {
    const says = photoFiles.judge(each.path.slice(each.path.lastIndexOf('/') + 1));
    if (says === false) found.others += 1;
    else left.push({ ...each, says });
  }
  while (left.length && found.files.length < room) {
    const some = left.splice(0, Math.min(AT_ONCE, room - found.files.length));
    const opened = some.map(async ({ open, says }) => {
      const file = await open();
      return says || (await photoFiles.beginsLikePhoto(file)) ? file : null;
    });
    for (const result of await Promise.allSettled(opened)) {
      if (result.status === 'rejected') found.unread += 1;
      else if (result.value) found.files.push(result.value);
      else found.others += 1;
    }
  }
  found.more = left.length;
  return found;
}

/**
 * Everything in a folder, which the browser gives in pieces of a hundred.
 *
 * @param {FileSystemDirectoryEntry} folder
 * @returns {Promise<FileSystemEntry[]>}
 */
async function readAll(folder) {
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const entries = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((done, fail) => reader.readEntries(done, fail));
    if (!some.length) return entries;
    entries.push(...some);
  }
}

/**
 * By the names of folders and files, one after the other, as the command line sorts them.
 * @param {Listed[]} listed
 */
function inOrder(listed) {
  const keyed = listed.map((each) => ({ each, key: each.path.replaceAll('/', '\0') }));
  keyed.sort((one, other) => (one.key < other.key ? -1 : Number(one.key > other.key)));
  return keyed.map(({ each }) => each);
}
