/** @import { App } from '../types.d.ts' */
import { painted } from '../core/dom.js';
import { loading } from '../core/text.js';

const PATIENCE_MS = 400; // what is loaded sooner, such as from the browser's cache, is not told
const IDLE_MS = 1500; // after the page is on the screen

/**
 * Loads the engine when the page has come to rest, so that the first caption need not wait for it, and says how far it is.
 * Visitors who save data load it with their first photo.
 *
 * @param {App} app
 */
export function mountLoading({ find, engine, signal }) {
  if (!engine.load) return;
  const place = find('.loading');
  const bar = find('.loading progress', HTMLProgressElement);
  const text = find('.loading span');
  place.hidden = false; // but quiet
  let timer = 0;

  engine.watchLoading?.((progress) => {
    if (!progress) {
      clearTimeout(timer);
      timer = 0;
      place.classList.add('quiet');
      return;
    }
    const { loaded, total } = progress;
    bar.max = total;
    bar.value = loaded;
    text.textContent = loading(progress);
    timer ||= window.setTimeout(() => place.classList.remove('quiet'), PATIENCE_MS);
  }, signal);

  painted().then(() => {
    setTimeout(() => {
      if (!signal.aborted && !savesData()) engine.load?.().catch(() => {}); // the first photo tries again, and tells
    }, IDLE_MS);
  });
}

/** Whether the visitor pays for every byte, as far as the browser tells. */
function savesData() {
  /** @type {{ connection?: { saveData?: boolean, type?: string } }} */
  const { connection } = /** @type {any} */ (navigator);
  return Boolean(connection?.saveData) || connection?.type === 'cellular';
}
