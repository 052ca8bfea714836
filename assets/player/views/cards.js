/** @import { App, Item } from '../types.d.ts' */
import { make, setState } from '../core/dom.js';
import { textOf } from '../core/text.js';

/**
 * One card a photo, with its caption.
 * @param {App} app
 */
export function mountCards({ find, store, captioning, pick, signal }) {
  const cards = find('.cards');
  /** @type {Map<Item, { card: HTMLLIElement, look: string }>} */
  const drawn = new Map();

  /** @param {Item} item */
  function textFor(item) {
    if (item.state === 'bad') return `${item.name}: ${item.error}`;
    return item.state === 'done' ? textOf(item.captions[0]) : '';
  }

  /** @param {Item} item */
  function draw(item) {
    const entry = drawn.get(item);
    if (!entry) return;
    const text = textFor(item);
    const look = JSON.stringify([item.state, text, item.preview]);
    if (entry.look === look) return;
    entry.look = look;
    const { card } = entry;
    /** @type {Node[]} */
    const parts = [make('p', { textContent: text })];
    if (item.state === 'waiting') parts.unshift(make('div', { className: 'blank' }));
    if (item.state === 'done') {
      const image = make('img', { src: item.preview, alt: '' });
      parts.unshift(make('button', { className: 'pick', onclick: () => pick(item) }, image, ...parts.splice(0)));
    }
    if (item.source) {
      const button = make('button', { className: 'remove', textContent: '\u00D7', title: 'Remove' });
      button.setAttribute('aria-label', `Remove ${item.name}`);
      button.onclick = () => remove(item, card);
      parts.push(button);
    }
    card.className = `card ${item.state}`;
    const focused = card.contains(document.activeElement) && document.activeElement?.className;
    card.replaceChildren(...parts);
    if (focused) card.querySelector(`.${focused}`)?.closest('button')?.focus();
  }

  /**
   * @param {Item} item
   * @param {Element} card
   */
  function remove(item, card) {
    const next = card.nextElementSibling ?? card.previousElementSibling;
    captioning.remove(item);
    (next?.querySelector('.pick, .remove')?.closest('button') ?? find('.choose')).focus();
  }

  store.subscribeToItems((item, what) => {
    if (what === 'added') {
      const card = make('li');
      drawn.set(item, { card, look: '' });
      cards.append(card);
    }
    if (what === 'removed') {
      drawn.get(item)?.card.remove();
      drawn.delete(item);
    } else draw(item);
  }, signal);

  store.subscribe((changed) => {
    if (!changed.has('item')) return;
    for (const [item, { card }] of drawn) setState(card, 'aria-current', item === store.state.item);
  }, signal);
}
