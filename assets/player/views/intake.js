/** @import { App } from '../types.d.ts' */
import { handedOver, photosInChosen, photosInDropped } from '../core/folders.js';

/**
 * Photos come in: chosen, dropped or pasted, one by one or in folders.
 *
 * @param {App} app
 * @param {number | null} retention minutes until the server deletes them; null: they are never sent to one
 */
export function mountIntake({ root, find, captioning, signal }, retention) {
  const files = find('.files', HTMLInputElement);
  const folder = find('.folder', HTMLInputElement);
  // Phones show the gallery for it. Elsewhere it would hide photos whose names do not say what they are.
  if (matchMedia('(pointer: coarse)').matches) files.accept = 'image/*,.heic,.heif';

  /** @param {DataTransfer | null} transfer */
  function take(transfer) {
    const { files, folders } = handedOver(transfer);
    if (files.length) captioning.addFiles(files);
    const names = folders.map(({ name }) => name);
    if (names.length) captioning.addFolders(names, (rules, room) => photosInDropped(folders, rules, room));
  }

  /** @param {File[]} chosen */
  function takeFolder(chosen) {
    const name = chosen[0].webkitRelativePath.split('/')[0];
    captioning.addFolders([name], (rules, room) => photosInChosen(chosen, rules, room));
  }

  /**
   * @param {HTMLInputElement} input
   * @param {(files: File[]) => void} add
   */
  function listen(input, add) {
    const chosen = () => {
      if (input.files?.length) add([...input.files]);
      input.value = ''; // the same photo may be chosen again
    };
    input.addEventListener('change', chosen, { signal });
    chosen(); // they were chosen while the player was on its way
  }

  for (const input of [files, find('.shot', HTMLInputElement)]) listen(input, (chosen) => captioning.addFiles(chosen));
  listen(folder, takeFolder);
  find('.choose').addEventListener('click', () => files.click(), { signal });
  find('.choose-folder').addEventListener('click', () => folder.click(), { signal });
  find('.privacy').textContent =
    retention === null
      ? 'Captions are written by your own browser. Your photos never leave this device.'
      : 'Your photos are shown to nobody else, and leave the server after ' +
        `${retention} minutes, as do files that you save of them.`;

  /** @param {DragEvent} event */
  const carriesFiles = (event) => Boolean(event.dataTransfer?.types.includes('Files'));

  document.addEventListener(
    'paste',
    (event) => {
      take(event.clipboardData);
    },
    { signal },
  );
  document.addEventListener(
    'dragover',
    (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      root.classList.add('dropping');
    },
    { signal },
  );
  document.addEventListener(
    'dragleave',
    (event) => {
      if (!event.relatedTarget) root.classList.remove('dropping');
    },
    { signal },
  );
  document.addEventListener(
    'drop',
    (event) => {
      if (!carriesFiles(event)) return;
      event.preventDefault();
      root.classList.remove('dropping');
      take(event.dataTransfer);
    },
    { signal },
  );
}
