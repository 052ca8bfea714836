/** @import { App } from '../types.d.ts' */
import { make } from '../core/dom.js';
import { percent, times } from '../core/text.js';

const LIT = 1.5; // times uniform: a word that looked so hard at the cell that is pointed at lights up

/**
 * The words of the caption: which one is shown, how sure the model was, and which looked where one points.
 * @param {App} app
 */
export function mountWords({ find, store, signal }) {
  const words = find('.words');
  const about = find('.about');
  /** @type {HTMLButtonElement[]} */
  let buttons = [];

  function draw() {
    buttons = store.shown.caption.words.map(({ text, probability }, k) => {
      const button = make('button', { textContent: text, title: `${percent(probability)} probable` });
      button.style.setProperty('--sure', String(probability));
      button.onpointerenter = ({ pointerType }) => {
        const { covered, press } = store.state;
        if (pointerType === 'mouse' && !covered && !press) store.show(k, { playing: false });
      };
      button.onclick = () => store.show(k, { playing: false });
      return button;
    });
    words.replaceChildren(...buttons);
  }

  function mark() {
    const { caption, word, map } = store.shown;
    buttons.forEach((button, k) => {
      button.setAttribute('aria-pressed', String(k === word));
      button.tabIndex = k === word ? 0 : -1;
    });
    const { text, probability } = caption.words[word];
    const numbers = ` \u2014 ${percent(probability)} probable after the words before it; strongest cell ${times(map.peak)}`;
    about.replaceChildren(make('b', { textContent: text }), store.state.covered ? '' : numbers);
  }

  function light() {
    const { pointed } = store.state;
    const { caption, maps } = store.shown;
    buttons.forEach((button, k) => {
      const value = pointed === null ? 0 : maps[k].cells[pointed];
      button.classList.toggle('lit', value >= LIT);
      button.style.setProperty('--lit', String(Math.min(1, value / caption.top)));
    });
  }

  store.subscribe((changed) => {
    if (!store.state.item) return;
    if (changed.has('caption')) draw();
    if (changed.has('caption') || changed.has('word') || changed.has('covered')) mark();
    if (changed.has('caption') || changed.has('pointed')) light();
  }, signal);

  words.addEventListener(
    'keydown',
    (event) => {
      const { word } = store.state;
      const move = { ArrowRight: word + 1, ArrowLeft: word - 1, Home: 0, End: -1 }[event.key];
      if (move === undefined) return;
      event.preventDefault();
      store.show(move, { playing: false });
      buttons[store.state.word].focus();
    },
    { signal },
  );
}
