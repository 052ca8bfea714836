/** @import { App, Changed, Panel } from '../types.d.ts' */
import { make, setState } from '../core/dom.js';

/** @type {Changed} */
const EVERYTHING = new Set(/** @type {const} */ (['item', 'caption', 'word', 'view', 'alternatives', 'evidence']));

/**
 * The buttons below the caption, each of which opens a panel; one is open at a time.
 *
 * @param {App} app
 * @param {Panel[]} panels
 */
export function mountTools({ find, store, signal }, panels) {
  const place = find('.panel');
  /** @type {Panel | null} */
  let opened = null;
  const buttons = panels.map(({ name }) => {
    const button = make('button', {
      textContent: name,
      onclick: () => store.set({ panel: store.state.panel === name ? null : name }),
    });
    setState(button, 'aria-expanded', false);
    return button;
  });
  find('.tools').replaceChildren(...buttons);

  function change() {
    const before = opened;
    opened = panels.find(({ name }) => name === store.state.panel) ?? null;
    before?.close?.();
    buttons.forEach((button, k) => {
      setState(button, 'aria-expanded', panels[k] === opened);
    });
    place.hidden = !opened;
    place.replaceChildren();
    place.setAttribute('aria-label', opened?.name ?? '');
    opened?.draw(EVERYTHING, place);
  }

  store.subscribe((changed) => {
    if (changed.has('panel')) change();
    else if (opened && store.state.item && [...EVERYTHING].some((part) => changed.has(part))) {
      /** @returns {Element[]} */
      const controls = () => [...place.querySelectorAll('button')];
      const at = document.activeElement ? controls().indexOf(document.activeElement) : -1;
      opened.draw(changed, place);
      // The one that had the focus may have been drawn anew.
      if (at >= 0 && !place.contains(document.activeElement))
        (controls()[at] ?? controls().at(-1))?.closest('button')?.focus();
    }
  }, signal);
}
