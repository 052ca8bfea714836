/** @import { App, Panel } from '../types.d.ts' */
import { busy, make, setState } from '../core/dom.js';
import { textOf } from '../core/text.js';

const NAME = 'Other captions';

/**
 * The best captions of the beam, each with its own maps.
 *
 * @param {App} app
 * @returns {Panel}
 */
export function otherCaptions({ find, store, engine }) {
  /** @param {HTMLElement} place */
  function drawChoices(place) {
    const { item } = store.shown;
    const choices = item.captions.map((caption, k) => {
      const button = make('button', { textContent: textOf(caption) });
      setState(button, 'aria-pressed', !item.steered.length && k === item.choice);
      button.onclick = () => {
        store.update(item, { choice: k, steered: [] });
        store.show(0);
      };
      return make('li', {}, button);
    });
    place.replaceChildren(
      make('p', {
        textContent: `The ${item.captions.length} best captions of the search, the most probable first.`,
      }),
      make('ol', { className: 'choices' }, ...choices),
    );
  }

  return {
    name: NAME,
    draw(changed, place) {
      if (!changed.has('caption')) return;
      const { item } = store.shown;
      if (item.captions.length > 1 || !engine.can('candidates')) {
        drawChoices(place);
        return;
      }
      // The page got only the best one, to have it sooner.
      const button = find('.tools [aria-expanded=true]', HTMLButtonElement);
      busy(button, place, async () => {
        const found = await engine.candidates(item);
        const [best] = item.captions;
        const same = textOf(best) === textOf(found[0]); // then what shows it need not be drawn anew
        store.update(item, { captions: same ? [best, ...found.slice(1)] : found });
        if (item === store.state.item && store.state.panel === NAME) drawChoices(place);
      });
    },
  };
}
