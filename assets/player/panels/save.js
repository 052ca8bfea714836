/** @import { App, FileKind, Item, Panel } from '../types.d.ts' */
import { busy, make } from '../core/dom.js';

/** @typedef {[kind: FileKind, label: string, note: string]} Offer */

/** @type {Offer[]} */
const OF_ONE = [
  ['png', 'Sheet', 'one panel a word, PNG'],
  ['gif', 'GIF', 'the attention, animated'],
  ['mp4', 'Video', 'MP4 for slides'],
  ['json', 'JSON', 'every number'],
  ['csv', 'Table', 'CSV, a line a word'],
];
/** @type {Offer[]} */
const OF_ALL = [
  ['html', 'One page', 'HTML, plays offline'],
  ['zip', 'Everything', 'one ZIP'],
];

/**
 * Take it home: files of this photo, or of all of them.
 *
 * @param {App} app
 * @returns {Panel}
 */
export function save({ store, engine, say }) {
  const can = (/** @type {Offer} */ [kind]) => engine.can(`save-${kind}`);

  /**
   * @param {FileKind} kind
   * @param {Item[]} items
   * @param {HTMLElement} place
   */
  async function download(kind, items, place) {
    const told = make('p', { textContent: 'Making the file\u2026' });
    place.replaceChildren(told);
    const { url, name } = await engine.save(kind, items, evidence.checked, (done) => {
      if (items.length > 1) told.textContent = `${done} of ${items.length} photos\u2026`;
    });
    const link = make('a', { href: url, download: name, textContent: name, className: 'file' });
    place.replaceChildren(make('p', {}, 'Saved as ', link, '.'));
    say(`${name} is ready.`);
    link.click();
  }

  const evidence = make('input', { type: 'checkbox' });

  return {
    name: 'Save',
    draw(changed, place) {
      if (!changed.has('item') && place.hasChildNodes()) return; // what it says of a file stays
      const answer = make('div', { className: 'answer' });
      /**
       * @param {string} title
       * @param {Offer[]} offers
       * @param {() => Item[]} items
       */
      const group = (title, offers, items) => {
        const buttons = offers.map(([kind, label, note]) => {
          const button = make(
            'button',
            { className: `save-${kind}`, title: note },
            label,
            make('small', { textContent: note }),
          );
          button.onclick = () => busy(button, answer, () => download(kind, items(), answer));
          return button;
        });
        return make(
          'div',
          { className: 'kinds' },
          make('h3', { textContent: title }),
          make('div', { className: 'row' }, ...buttons),
        );
      };
      evidence.checked = store.state.view !== 'looked';
      place.replaceChildren(
        make(
          'label',
          { className: 'with-evidence' },
          evidence,
          ' with what mattered for each word (not in GIF, video and table)',
        ),
        ...[
          group('This photo', OF_ONE.filter(can), () => [store.shown.item]),
          group('All photos here', OF_ALL.filter(can), () => store.captioned),
        ].filter((each) => each.querySelector('button')),
        answer,
      );
    },
  };
}
