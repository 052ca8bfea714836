/** @import { App, Shown } from '../types.d.ts' */
import { calm } from '../core/dom.js';
import { Pane } from '../core/pane.js';
import { changedAny } from '../core/store.js';
import { textOf } from '../core/text.js';
import { WordClock } from '../core/timeline.js';

/**
 * The big photo under its overlay, which glides from word to word; or twice, in step: where the word looked, and what
 * mattered for it.
 *
 * @param {App} app
 */
export function mountStage({ find, store, constants, signal }) {
  const player = find('.player');
  const stage = find('.stage');
  const photo = find('.frame img', HTMLImageElement);
  const twin = find('.twin');
  const twinPhoto = find('.twin img', HTMLImageElement);
  const pane = new Pane(photo, find('.frame canvas', HTMLCanvasElement), constants);
  const twinPane = new Pane(twinPhoto, find('.twin canvas', HTMLCanvasElement), constants);

  /** @returns {Shown} */
  function looked() {
    const { map } = store.shown;
    return { drawing: store.state.raw ? map.blocks : map.smooth, top: store.top, signed: false };
  }

  /** @returns {Shown | null} */
  function mattered() {
    const { evidence, word } = store.shown;
    if (!evidence) return null;
    const { blocks, smooth } = evidence[word];
    return { drawing: store.state.raw ? blocks : smooth, top: store.evidenceTop, signed: true };
  }

  /** @param {boolean} glides */
  function aim(glides) {
    const { view, raw, covered } = store.state;
    pane.aim(covered ? null : view === 'mattered' ? mattered() : looked(), raw, glides && !raw);
    twinPane.aim(covered || view !== 'both' ? null : mattered(), raw, glides && !raw);
  }

  /** @param {number} share */
  function paint(share) {
    pane.paint(share);
    twinPane.paint(share);
  }

  const clock = new WordClock({
    draw: paint,
    playing: () => store.state.playing,
    speed: () => store.state.speed,
    next: () => (store.hasNext ? store.show(store.state.word + 1) : store.set({ playing: false })),
  });

  function repaint() {
    if (store.state.item) clock.tick(); // a map that is gliding goes on from where it is
  }

  function showPicture() {
    const { item } = store.state;
    const url = item?.url || item?.preview;
    if (!url) return;
    for (const image of [photo, twinPhoto]) if (image.getAttribute('src') !== url) image.src = url;
  }

  store.subscribe((changed) => {
    const { item, playing, covered, sharedTop, view } = store.state;
    player.classList.toggle('covered', covered);
    player.classList.toggle('comparing', sharedTop !== null);
    player.classList.toggle('both', view === 'both');
    twin.hidden = view !== 'both';
    if (changed.has('item')) {
      player.hidden = !item;
      pane.aim(null, false, false); // maps do not glide from photo to photo
      twinPane.aim(null, false, false);
      showPicture();
    }
    if (!item) {
      clock.stop(); // a map that is gliding has no photo any more
      return;
    }
    if (changed.has('caption')) photo.alt = textOf(store.shown.caption);
    if (changedAny(changed, 'caption', 'word', 'raw', 'view') || (changed.has('playing') && playing)) {
      const glides = !calm() && !store.state.raw && !changed.has('item');
      aim(glides);
      clock.begin(glides);
    } else if (changedAny(changed, 'evidence', 'covered', 'sharedTop', 'sharedEvidenceTop', 'full')) {
      aim(false);
      repaint();
    }
  }, signal);

  store.subscribeToItems((item) => {
    if (item === store.state.item) showPicture();
  }, signal);

  photo.addEventListener(
    'load',
    () => {
      stage.style.setProperty('--ratio', String(photo.naturalWidth / photo.naturalHeight));
      repaint();
    },
    { signal },
  );
  twinPhoto.addEventListener('load', repaint, { signal });
  const resized = new ResizeObserver(repaint);
  resized.observe(stage);
  signal.addEventListener('abort', () => {
    resized.disconnect();
    clock.stop();
  });
}
