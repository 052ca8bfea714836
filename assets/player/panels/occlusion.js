/** @import { App, Caption, Occlusion, Panel } from '../types.d.ts' */
import { busy, make } from '../core/dom.js';
import { attended } from '../core/drawing/overlay.js';
import { mean, percent, textOf } from '../core/text.js';

const NAME = 'Did it really look there?';

/** @param {Occlusion} answer */
export function verdict({ before, after, blind, elsewhere }) {
  const other = mean(elsewhere);
  if (after > before * 1.25) return 'Hiding these cells made the word more probable: they spoke against it.';
  if (after < before / 2 && after < other * 0.7)
    return 'Hiding these cells hurt the word far more than hiding others: what it saw here mattered.';
  if (blind > before * 0.7)
    return 'Even a decoder that sees no places would have written it: the words before it, and the photo as a whole, are enough.';
  if (after < before / 2)
    return 'The word suffers, but as much when other cells are hidden: it hangs on the whole photo, not on this place.';
  return 'Hiding these cells changed little: the network knows it from elsewhere. Every cell has seen its surroundings too.';
}

/**
 * Hides cells of the photo and asks again.
 *
 * @param {App} app
 * @returns {Panel}
 */
export function occlusion({ store, engine, say, signal }) {
  let adding = true; // whether a drag chooses or frees cells

  /**
   * @param {number} cell
   * @param {boolean} first
   */
  function press(cell, first) {
    const chosen = new Set(store.state.chosen);
    if (first) adding = !chosen.has(cell);
    if (adding) chosen.add(cell);
    else chosen.delete(cell);
    store.set({ chosen });
  }

  const hide = make('button', { className: 'hide primary' });

  store.subscribe((changed) => {
    const { chosen } = store.state;
    if (!chosen || !changed.has('chosen')) return;
    hide.textContent = `Hide ${chosen.size} cell${chosen.size === 1 ? '' : 's'} and ask again`;
    hide.disabled = !chosen.size || chosen.size === store.shown.side ** 2;
  }, signal);

  /** @param {HTMLElement} place */
  const ask = (place) =>
    busy(hide, place, async () => {
      const { item, caption, word } = store.shown;
      const cells = [...(store.state.chosen ?? [])];
      const texts = caption.words.map(({ text }) => text);
      const answer = await engine.occlude(item, texts, word, cells);
      const { state } = store;
      if (state.panel !== NAME || state.caption !== caption || state.word !== word) return;
      place.replaceChildren(...drawAnswer(answer, caption, word, cells.length));
      say(`${verdict(answer)} The caption is then: ${textOf(answer.caption)}`);
    });

  return {
    name: NAME,
    draw(changed, place) {
      if (!changed.has('caption') && !changed.has('word')) return;
      const { text, map } = store.shown;
      const answer = make('div', { className: 'answer' });
      hide.onclick = () => ask(answer);
      store.set({ playing: false, press, chosen: attended(map.cells) });
      place.replaceChildren(
        make('p', {
          textContent: `For \u201C${text}\u201D the striped cells hold about half of the attention. Hide them, or drag over the photo to choose others; choose another word above.`,
        }),
        hide,
        answer,
      );
    },
    close() {
      store.set({ press: null, chosen: null });
    },
  };
}

/**
 * @param {Occlusion} answer
 * @param {Caption} caption of the whole photo
 * @param {number} word
 * @param {number} cells how many were hidden
 */
function drawAnswer(answer, caption, word, cells) {
  const range = `${percent(Math.min(...answer.elsewhere))} to ${percent(Math.max(...answer.elsewhere))}`;
  /** @type {[label: string, value: number, style: string, note: string][]} */
  const measures = [
    ['the whole photo', answer.before, '', ''],
    [`these ${cells} cells hidden`, answer.after, 'now', ''],
    [`${cells} random others hidden`, mean(answer.elsewhere), '', `mean of ${answer.elsewhere.length}, ${range}`],
    ['blind: only the average of all cells', answer.blind, '', ''],
  ];
  const rows = measures.map(([label, value, style, note]) => {
    const bar = make('span', { className: `measure ${style}` });
    bar.style.setProperty('--value', String(value));
    return make(
      'tr',
      {},
      make('th', { textContent: label, scope: 'row' }),
      make('td', {}, bar),
      make('td', { textContent: percent(value), title: note }),
    );
  });
  const title = `Probability of \u201C${caption.words[word].text}\u201D after the words before it`;
  return [
    make('p', { className: 'verdict', textContent: verdict(answer) }),
    make('table', {}, make('caption', { textContent: title }), make('tbody', {}, ...rows)),
    make(
      'dl',
      {},
      make('dt', { textContent: 'whole photo' }),
      make('dd', { textContent: textOf(caption) }),
      make('dt', { textContent: 'cells hidden' }),
      make('dd', { className: 'after', textContent: textOf(answer.caption) }),
    ),
  ];
}
