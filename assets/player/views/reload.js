/** @import { App, Sample } from '../types.d.ts' */
import { Session, tabStorage } from '../core/session.js';

/**
 * A reload and the back button keep the photos, or the page says that they are gone.
 *
 * @param {App} app
 * @param {Sample[]} samples
 * @param {string[]} attentions
 */
export function mountReload({ store, captioning, signal }, samples, attentions) {
  const session = new Session(tabStorage(), new URL('.', document.baseURI).href);
  const note = () => session.note(store.items, store.state.attention);
  const seen = () => {
    if (document.hidden) note();
    else session.take();
  };
  const { kept, attention } = session.take();
  if (attentions.includes(attention)) store.set({ attention });
  captioning.restore(kept, samples);
  addEventListener('pagehide', note, { signal });
  addEventListener('pageshow', seen, { signal });
  document.addEventListener('visibilitychange', seen, { signal });
}
