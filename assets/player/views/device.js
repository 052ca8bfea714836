/** @import { App } from '../types.d.ts' */
import { loading } from '../core/text.js';

const OFFER = 'your browser then writes the captions, and photos are not sent to the server.';
const STARTS = 'Your browser writes the captions of the photos that you add now; they are not sent to the server.';
const BUSY = 'The server takes long; it may be quicker here.';

/**
 * Lets visitors choose that photos are captioned on their own device, where the server offers that.
 * @param {App} app
 */
export function mountDevice({ find, engine, say, signal }) {
  if (!engine.useDevice) return;
  const box = find('.on-device input', HTMLInputElement);
  const note = find('.on-device span');
  find('.on-device').hidden = false;
  note.textContent = OFFER;

  engine.watchLoading?.((progress) => {
    if (box.checked) note.textContent = progress ? loading(progress) : STARTS;
  }, signal);
  engine.watchBusy?.(() => {
    if (box.checked || note.textContent === BUSY) return;
    note.textContent = BUSY;
    say(BUSY);
  }, signal);

  async function choose() {
    note.textContent = box.checked ? STARTS : OFFER;
    try {
      await engine.useDevice?.(box.checked);
    } catch (error) {
      box.checked = false;
      engine.useDevice?.(false);
      note.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  box.checked = false; // some browsers keep it over a reload
  box.addEventListener('change', choose, { signal });
}
