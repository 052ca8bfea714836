/** @import { App, Caption, Panel } from '../types.d.ts' */
import { make } from '../core/dom.js';
import { mean, times } from '../core/text.js';

/**
 * A game for the class: where would you look for this word? Then see where the network did.
 *
 * @param {App} app
 * @returns {Panel}
 */
export function guess({ store, constants, say }) {
  const functionWords = new Set(constants.function_words); // they stand for nothing that one could point at
  /** @type {number[]} */
  let scores = []; // of this caption's words so far, in times uniform
  /** @type {Caption | null} */
  let about = null; // the caption that the game is about
  /** @type {HTMLElement} */
  let place;

  /** The caption's words that can be asked for. */
  const playable = () => store.shown.caption.words.flatMap(({ text }, k) => (functionWords.has(text) ? [] : [k]));

  /**
   * @param {number} cell
   * @param {boolean} first
   */
  function press(cell, first) {
    if (!first || store.state.guess !== null) return;
    const { word, map } = store.shown;
    scores.push(map.cells[cell]);
    store.set({ guess: cell, press: null, covered: false });
    const text = `You tapped ${times(map.cells[cell])} of an even share. Its strongest cell has ${times(map.peak)}.`;
    place.replaceChildren(make('p', { className: 'score', textContent: text }));
    say(text);
    const next = playable().find((k) => k > word);
    if (next === undefined) {
      place.append(
        make('p', {
          textContent: `Over ${scores.length} words you met ${times(mean(scores))} on average. Tapping at random gives ${times(1)}.`,
        }),
        make('button', { className: 'primary', textContent: 'Again', onclick: start }),
      );
    } else {
      const button = make('button', { className: 'primary', textContent: 'Next word', onclick: () => ask(next) });
      place.append(button);
      button.focus();
    }
  }

  /** @param {number} word */
  function ask(word) {
    store.show(word, { covered: true, press, guess: null });
    drawQuestion();
  }

  function drawQuestion() {
    place.replaceChildren(
      make(
        'p',
        { className: 'question' },
        'Where would you look to write ',
        make('b', { textContent: store.shown.text }),
        '? Tap the photo.',
      ),
    );
  }

  function start() {
    scores = [];
    store.set({ playing: false });
    ask(playable()[0] ?? 0);
  }

  return {
    name: 'Guess where',
    draw(changed, where) {
      place = where;
      if (changed.has('caption') || about !== store.shown.caption) {
        about = store.shown.caption;
        start();
      } else if (store.state.covered) drawQuestion(); // another word was chosen above
    },
    close() {
      about = null;
      store.set({ press: null, guess: null, covered: false });
    },
  };
}
