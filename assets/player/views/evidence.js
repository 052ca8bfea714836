/** @import { App, View } from '../types.d.ts' */
import { complaint, setState } from '../core/dom.js';
import { changedAny } from '../core/store.js';

/** @type {View[]} */
const VIEWS = ['looked', 'mattered', 'both'];
const MEASURING = 'The network reads the caption again, with each cell hidden in turn\u2026';

/**
 * The switch between where a word looked and what mattered for it, and the sentence that compares them. What mattered is
 * measured when a visitor first wants to see it.
 *
 * @param {App} app
 */
export function mountEvidence({ find, store, engine, captioning, say, signal }) {
  const group = find('.views');
  const told = find('.agreement');
  const buttons = VIEWS.map((view) => find(`.views .${view}`, HTMLButtonElement));

  const available = () => Boolean(store.state.evidence) || engine.can('evidence');

  /** The sentence of the word that is shown; '' if none is to be seen. */
  function sentence() {
    const { evidence, covered, view, word } = store.state;
    return evidence && !covered && view !== 'looked' ? evidence.words[word].sentence : '';
  }

  async function ask() {
    const { item, caption } = store.shown;
    told.textContent = MEASURING;
    try {
      await captioning.evidence(item, caption);
    } catch (error) {
      if (store.state.caption === caption) told.replaceChildren(complaint(error));
    }
  }

  /** Tells screen readers, unless the caption plays: then one sentence would chase the other. */
  function tell() {
    const { playing, caption, word, evidence } = store.state;
    if (caption && evidence && !playing && sentence()) say(`${caption.words[word].text}: ${sentence()}`);
  }

  store.subscribe((changed) => {
    const { item, view, evidence } = store.state;
    if (!item) return;
    if (changedAny(changed, 'caption', 'evidence')) group.hidden = !available();
    if (view !== 'looked' && !available()) {
      store.set({ view: 'looked' }); // the next photo of a saved page may come without evidence
      return;
    }
    buttons.forEach((button, k) => {
      setState(button, 'aria-pressed', VIEWS[k] === view);
    });
    told.hidden = view === 'looked';
    if (changedAny(changed, 'caption', 'word', 'view', 'evidence', 'covered')) {
      if (evidence) {
        told.textContent = sentence();
        tell();
      } else if (view !== 'looked' && changedAny(changed, 'caption', 'view')) ask();
    }
  }, signal);

  /** @param {View} view */
  const show = (view) => store.set({ view });
  buttons.forEach((button, k) => {
    button.addEventListener('click', () => show(VIEWS[k]), { signal });
  });
  document.addEventListener(
    'keydown',
    (event) => {
      const at = event.target instanceof Element ? event.target : document.body;
      if (!store.state.item || group.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
      if (at.closest('input, textarea, select, [contenteditable], dialog')) return;
      if (event.key !== 'm' && event.key !== 'M') return;
      show(VIEWS[(VIEWS.indexOf(store.state.view) + 1) % VIEWS.length]);
      event.preventDefault();
    },
    { signal },
  );
}
