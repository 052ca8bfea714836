/** @import { App, Drawing } from '../types.d.ts' */
import { drawOverlay, fitCanvas } from '../core/canvas.js';
import { calm } from '../core/dom.js';
import { mix } from '../core/overlay.js';
import { textOf } from '../core/text.js';
import { WordClock } from '../core/timeline.js';

/**
 * The big photo under its overlay, which glides from word to word.
 * @param {App} app
 */
export function mountStage({ find, store, constants, signal }) {
  const player = find('.player');
  const photo = find('.frame img', HTMLImageElement);
  const canvas = find('.frame canvas', HTMLCanvasElement);
  /** @type {Drawing | null} */
  let drawn = null; // what the canvas shows
  /** @type {Drawing | null} */
  let from = null; // what it glides from

  const target = () => (store.state.raw ? store.shown.map.blocks : store.shown.map.smooth);

  /** @param {number} share */
  function paint(share) {
    drawn = mix(from, target(), share);
    if (fitCanvas(canvas, photo) && !store.state.covered)
      drawOverlay(canvas, drawn, { top: store.top, sharp: store.state.raw, constants });
  }

  const repaint = () => {
    if (store.state.item) paint(1);
  };

  const clock = new WordClock({
    draw: paint,
    playing: () => store.state.playing,
    speed: () => store.state.speed,
    next: () => (store.hasNext ? store.show(store.state.word + 1) : store.set({ playing: false })),
  });

  function showPicture() {
    const { item } = store.state;
    const url = item?.url || item?.preview;
    if (url && photo.getAttribute('src') !== url) photo.src = url;
  }

  store.subscribe((changed) => {
    const { item, playing, covered, sharedTop } = store.state;
    player.classList.toggle('covered', covered);
    player.classList.toggle('comparing', sharedTop !== null);
    if (changed.has('item')) {
      player.hidden = !item;
      drawn = null;
      showPicture();
    }
    if (!item) {
      clock.stop(); // a map that is gliding has no photo any more
      return;
    }
    if (changed.has('caption')) photo.alt = textOf(store.shown.caption);
    if (changed.has('caption') || changed.has('word') || changed.has('raw') || (changed.has('playing') && playing)) {
      from = calm() || store.state.raw ? null : drawn;
      clock.begin(from !== null);
    } else if (changed.has('covered') || changed.has('sharedTop') || changed.has('full')) repaint();
  }, signal);

  store.subscribeToItems((item) => {
    if (item === store.state.item) showPicture();
  }, signal);

  photo.addEventListener(
    'load',
    () => {
      find('.frame').style.setProperty('--ratio', String(photo.naturalWidth / photo.naturalHeight));
      repaint();
    },
    { signal },
  );
  const resized = new ResizeObserver(repaint);
  resized.observe(find('.stage'));
  signal.addEventListener('abort', () => {
    resized.disconnect();
    clock.stop();
  });
}
