/** @import { App } from '../types.d.ts' */
import { make } from '../core/dom.js';
import { changedAny } from '../core/store.js';
import { factor, lessProbable, percent, times } from '../core/text.js';

const LIT = 1.5; // times uniform: a word that looked so hard at the cell that is pointed at lights up
const LIT_NATS = Math.log(1.2); // and so does one that gets so much less probable without it

/**
 * The words of the caption: which one is shown, how sure the model was, and which looked where one points.
 * @param {App} app
 */
export function mountWords({ find, store, signal }) {
  const words = find('.words');
  const about = find('.about');
  const dotted = find('.dotted');
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

  /** Marks the words that hang on no place. */
  function dot() {
    const { evidence, caption, covered } = store.state;
    if (!caption) return;
    buttons.forEach((button, k) => {
      const unplaced = Boolean(evidence?.words[k].unplaced) && !covered;
      button.classList.toggle('unplaced', unplaced);
      const sure = `${percent(caption.words[k].probability)} probable`;
      button.title = unplaced ? `${sure}; no place mattered for this word` : sure;
    });
    dotted.hidden = covered || !evidence?.words.some(({ unplaced }) => unplaced);
  }

  function mark() {
    const { caption, word, map, evidence } = store.shown;
    buttons.forEach((button, k) => {
      button.setAttribute('aria-pressed', String(k === word));
      button.tabIndex = k === word ? 0 : -1;
    });
    const { text, probability } = caption.words[word];
    const sure = ` \u2014 ${percent(probability)} probable after the words before it`;
    const peak = evidence?.[word].peak;
    const lost = peak === undefined ? '' : `; ${lessProbable(peak)} without its strongest cell`;
    const beside =
      peak === undefined ? '' : `; strongest cell: looked ${times(map.peak)}, mattered ${factor(Math.max(0, peak))}`;
    const numbers = {
      looked: `${sure}; strongest cell ${times(map.peak)}`,
      mattered: sure + lost,
      both: sure + beside,
    };
    about.replaceChildren(make('b', { textContent: text }), store.state.covered ? '' : numbers[store.state.view]);
  }

  function light() {
    const { pointed, view } = store.state;
    const { caption, maps, evidence } = store.shown;
    const mattered = view === 'mattered';
    const lighting = mattered ? evidence : maps;
    const top = mattered ? store.evidenceTop : caption.top;
    buttons.forEach((button, k) => {
      const value = pointed === null || !lighting ? 0 : lighting[k].cells[pointed];
      button.classList.toggle('lit', value >= (mattered ? LIT_NATS : LIT));
      button.style.setProperty('--lit', String(Math.min(1, value / top)));
    });
  }

  store.subscribe((changed) => {
    if (!store.state.item) return;
    if (changed.has('caption')) draw();
    if (changedAny(changed, 'caption', 'evidence', 'covered')) dot();
    if (changedAny(changed, 'caption', 'evidence', 'covered', 'word', 'view')) mark();
    if (changedAny(changed, 'caption', 'evidence', 'pointed', 'view')) light();
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
