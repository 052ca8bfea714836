/** @import { App } from '../types.d.ts' */

/**
 * Photos come in: chosen, dropped or pasted.
 *
 * @param {App} app
 * @param {number} retention minutes until the server deletes them
 */
export function mountIntake({ root, find, captioning, signal }, retention) {
  const files = find('.files', HTMLInputElement);

  for (const input of [files, find('.shot', HTMLInputElement)]) {
    const take = () => {
      if (input.files?.length) captioning.addFiles([...input.files]);
      input.value = ''; // the same photo may be chosen again
    };
    input.addEventListener('change', take, { signal });
    take(); // they were chosen while the player was on its way
  }
  find('.choose').addEventListener('click', () => files.click(), { signal });
  find('.privacy').textContent =
    'Your photos are shown to nobody else, and leave the server after ' +
    `${retention} minutes, as do files that you save of them.`;

  /** @param {DragEvent} event */
  const carriesFiles = (event) => Boolean(event.dataTransfer?.types.includes('Files'));

  document.addEventListener(
    'paste',
    (event) => {
      const pasted = [...(event.clipboardData?.files ?? [])];
      if (pasted.length) captioning.addFiles(pasted);
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
      captioning.addFiles([...(event.dataTransfer?.files ?? [])]);
    },
    { signal },
  );
}
