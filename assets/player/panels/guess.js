/** @import { App, Caption, Panel, View } from '../types.d.ts' */
import { make } from '../core/dom.js';
import { lessProbable, mean, times } from '../core/text.js';

const MATTERS = Math.log(1.05); // nats: words whose strongest cell matters less are not asked for

/**
 * A game for the class: where would you look for this word? Then see where the network did, or what mattered for it.
 *
 * @param {App} app
 * @returns {Panel}
 */
export function guess({ store, constants, say }) {
  const functionWords = new Set(constants.function_words); // they stand for nothing that one could point at
  /** @type {number[]} */
  let scores = []; // of this caption's words so far: attention in times uniform, or evidence in nats
  /** @type {number[]} */
  let chances = []; // what tapping at random would give for them
  /** @type {Caption | null} */
  let about = null; // the caption that the game is about
  /** @type {View} */
  let against = 'looked'; // the maps that the game is played against
  /** @type {HTMLElement} */
  let place;

  /** The caption's words that can be asked for. */
  function playable() {
    const { caption, evidence } = store.shown;
    const words = caption.words.flatMap(({ text }, k) => (functionWords.has(text) ? [] : [k]));
    if (store.state.view !== 'mattered' || !evidence) return words;
    const placed = words.filter((k) => evidence[k].peak >= MATTERS);
    return placed.length ? placed : words;
  }

  /**
   * @param {number} cell
   * @param {boolean} first
   */
  function press(cell, first) {
    if (!first || store.state.guess !== null) return;
    const { word, map, evidence } = store.shown;
    const byEvidence = store.state.view === 'mattered';
    const { cells, peak } = byEvidence && evidence ? evidence[word] : map;
    scores.push(cells[cell]);
    chances.push(mean([...cells]));
    store.set({ guess: cell, press: null, covered: false });
    const text = byEvidence
      ? `Without the cell that you tapped the word is ${lessProbable(cells[cell])}; without its strongest cell, ${lessProbable(peak)}.`
      : `You tapped ${times(cells[cell])} of an even share. Its strongest cell has ${times(peak)}.`;
    place.replaceChildren(make('p', { className: 'score', textContent: text }));
    say(text);
    const next = playable().find((k) => k > word);
    if (next === undefined) {
      place.append(
        make('p', {
          textContent: byEvidence
            ? `Over ${scores.length} words your cells made them ${lessProbable(mean(scores))} on average. Tapping at random: ${lessProbable(mean(chances))}.`
            : `Over ${scores.length} words you met ${times(mean(scores))} on average. Tapping at random gives ${times(1)}.`,
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
        store.state.view === 'mattered' ? 'Which place mattered most for ' : 'Where would you look to write ',
        make('b', { textContent: store.shown.text }),
        '? Tap the photo.',
      ),
    );
  }

  function start() {
    scores = [];
    chances = [];
    store.set({ playing: false });
    if (store.state.view === 'mattered' && !store.state.evidence) {
      store.set({ covered: true, press: null, guess: null });
      place.replaceChildren(make('p', { className: 'busy' })); // until it is measured
    } else ask(playable()[0] ?? 0);
  }

  return {
    name: 'Guess where',
    draw(changed, where) {
      place = where;
      const { caption } = store.shown;
      const { view } = store.state;
      const measured = changed.has('evidence') && view === 'mattered';
      if (changed.has('caption') || about !== caption || against !== view || measured) {
        about = caption;
        against = view;
        start();
      } else if (store.state.press) drawQuestion(); // another word was chosen above
    },
    close() {
      about = null;
      store.set({ press: null, guess: null, covered: false });
    },
  };
}
