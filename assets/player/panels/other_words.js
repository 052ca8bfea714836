/** @import { App, Constants, Panel, Word } from '../types.d.ts' */
import { busy, complaint, make } from '../core/dom.js';
import { percent, textOf } from '../core/text.js';

const NAME = 'Other words';

/**
 * What the model might have written instead; the caption can be steered from there.
 *
 * @param {App} app
 * @returns {Panel}
 */
export function otherWords({ store, engine, captioning, constants, say }) {
  /**
   * @param {string} text
   * @param {number} probability
   */
  const chip = (text, probability) => [
    make('span', { textContent: text }),
    make('small', { textContent: percent(probability) }),
  ];

  /**
   * @param {string} alternative
   * @param {HTMLButtonElement} button
   * @param {HTMLElement} answer
   */
  async function steer(alternative, button, answer) {
    const { item, caption, word } = store.shown;
    const before = caption.words.slice(0, word).map((each) => each.text);
    await busy(button, answer, async () => {
      const steered = await engine.steer(item, [...before, alternative]);
      store.update(item, { steered: [...item.steered, steered] });
      if (item !== store.state.item) return;
      store.show(Math.min(word, steered.words.length - 1));
      say(`The caption is now: ${textOf(steered)}`);
    });
  }

  /** @param {HTMLElement} place */
  async function ask(place) {
    const { item, caption } = store.shown;
    place.replaceChildren(make('p', { textContent: 'Looking for other words\u2026' }));
    try {
      await captioning.alternatives(item, caption);
    } catch (error) {
      if (store.state.panel === NAME && store.state.caption === caption) place.replaceChildren(complaint(error));
    }
  }

  return {
    name: NAME,
    draw(_, place) {
      const { item, caption, word } = store.shown;
      const { text, probability, alternatives } = caption.words[word];
      if (!alternatives) {
        ask(place);
        return;
      }
      const answer = make('div', { className: 'answer row' });
      const steerable = engine.can('steer');
      const others = alternatives
        .filter(([other]) => word || other !== constants.end_word) // a caption has a word
        .map(([other, chance]) => {
          const label = other === constants.end_word ? 'end here' : other;
          if (!steerable) return make('li', {}, make('span', { className: 'chip' }, ...chip(label, chance)));
          const button = make('button', { className: 'chip' }, ...chip(label, chance));
          button.onclick = () => steer(other, button, answer);
          button.setAttribute('aria-label', `${label}, ${percent(chance)}: write the rest anew from here`);
          return make('li', {}, button);
        });
      if (item.steered.length) {
        const own = textOf(item.captions[item.choice]);
        const undo = () => store.update(item, { steered: item.steered.slice(0, -1) });
        answer.append(
          make('span', { textContent: `Your caption. The model's own: \u201C${own}\u201D` }),
          make('button', { className: 'undo', textContent: 'Undo', onclick: undo }),
        );
      }
      const hint = steerable
        ? 'Choose one, and the rest of the caption is written anew from there.'
        : 'What it might have written instead.';
      const hedged = hedging(caption.words[word], constants);
      place.replaceChildren(
        ...(hedged ? [make('p', { textContent: hedged })] : []),
        make('p', { textContent: hint }),
        make('ul', { className: 'chips' }, make('li', { className: 'own' }, ...chip(text, probability)), ...others),
        answer,
      );
    },
  };
}

/**
 * Why the search wrote "person" where "man" or "woman" is more probable; '' where it was not for that.
 *
 * @param {Word} word
 * @param {Constants} constants
 */
function hedging({ text, alternatives }, { gendered_words: gendered, hedging: ratio }) {
  const row = gendered.find(([, , either]) => either === text);
  const [man, woman] = [0, 1].map((at) => alternatives?.find(([other]) => other === row?.[at]));
  if (!man || !woman || Math.max(man[1] / woman[1], woman[1] / man[1]) >= ratio) return '';
  return (
    `\u201C${man[0]}\u201D and \u201C${woman[0]}\u201D are about equally probable here. ` +
    `Unless one is ${ratio} times as probable as the other, the model does not guess and writes \u201C${text}\u201D.`
  );
}
