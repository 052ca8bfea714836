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
 * Why "person" was written where "man" or "woman" is more probable; '' where those are no rivals.
 *
 * @param {Word} word
 * @param {Constants} constants
 */
function hedging({ text, probability, alternatives }, { gendered_words: gendered }) {
  const row = gendered.find(([, , either]) => either === text);
  const rivals = alternatives?.filter(([other]) => other === row?.[0] || other === row?.[1]);
  if (rivals?.length !== 2 || rivals[1][1] < 0.01) return '';
  const [[likelier, most], [other, common]] = rivals; // the best comes first
  return (
    `\u201C${likelier}\u201D and \u201C${other}\u201D are rivals here, so the ${percent(common)} that both have count for ` +
    `\u201C${text}\u201D. That makes ${percent(probability + 2 * common)} for \u201C${text}\u201D and leaves ` +
    `${percent(most - common)} for \u201C${likelier}\u201D.`
  );
}
