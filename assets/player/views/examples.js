/** @import { App, Sample } from '../types.d.ts' */
import { make, reveal } from '../core/dom.js';

const OUTCOMES = { right: 'right', partly: 'partly right', wrong: 'wrong' };

/**
 * The example photos, and what a person says of the captions that they get.
 *
 * @param {App} app
 * @param {Sample[]} samples
 */
export function mountExamples({ find, captioning, pick, signal }, samples) {
  /** @param {Sample[]} wanted */
  function add(wanted) {
    const present = captioning.addSamples(wanted);
    if (present) pick(present);
  }

  const all = find('.all');
  all.textContent = `Try all ${samples.length}`;
  all.addEventListener('click', () => add(samples), { signal });
  find('.strip').replaceChildren(
    ...samples.map((sample) => {
      const image = make('img', { src: sample.thumbnail.url, alt: sample.description, loading: 'lazy' });
      return make('li', {}, make('button', { className: 'sample', onclick: () => add([sample]) }, image));
    }),
  );

  const remarked = samples.filter((sample) => sample.remark);
  find('.works').hidden = !remarked.length;
  find('.showcase').replaceChildren(
    ...remarked.map((sample) => {
      const image = make('img', { src: sample.thumbnail.url, alt: `Open: ${sample.description}`, loading: 'lazy' });
      const open = () => {
        add([sample]);
        reveal(find('.intake'), 'start');
      };
      const { outcome, description, caption, remark } = sample;
      return make(
        'li',
        { className: `case ${outcome}` },
        make('button', { className: 'sample', onclick: open }, image),
        make('p', { className: 'network', textContent: caption ?? '' }),
        make(
          'details',
          { name: 'remarks' },
          make('summary', { className: 'outcome', textContent: outcome ? OUTCOMES[outcome] : '' }),
          make('p', { textContent: `A person says: ${description}` }),
          make('p', { className: 'remark', textContent: remark ?? '' }),
        ),
      );
    }),
  );
}
