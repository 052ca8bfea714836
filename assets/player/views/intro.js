/** @import { App, Sample } from '../types.d.ts' */
import { CaptionWalk } from '../core/caption_walk.js';
import { calm } from '../core/dom.js';

const SPEED = 2; // of the words
const TOUCHES = ['pointerdown', 'keydown', 'wheel', 'scroll', 'touchstart', 'dragenter', 'paste'];

/**
 * Captions of example photos that play by themselves, until the visitor does anything. They come with the page: nothing
 * is asked for but the photos.
 *
 * @param {App} app
 * @param {Sample[]} samples
 */
export function mountIntro({ find, store, constants, signal }, samples) {
  const shown = samples.flatMap(({ captioned, ...sample }) =>
    captioned && sample.plays ? [{ ...sample, captioned }] : [],
  );
  const intro = find('.intro');
  if (!shown.length || store.items.length) return;
  const image = find('.intro img', HTMLImageElement);
  const words = find('.intro .said');
  const ending = new AbortController();
  signal.addEventListener('abort', () => stop());
  let current = 0;
  const walk = new CaptionWalk({
    picture: image,
    canvas: find('.intro canvas', HTMLCanvasElement),
    words,
    constants,
    speed: SPEED,
    over: () => show((current + 1) % shown.length),
  });

  /** @param {number} index */
  function show(index) {
    current = index;
    const { image: photo, description } = shown[index];
    walk.clear();
    image.alt = description;
    image.src = photo.url;
  }

  /** Here to stay: what is seen no longer moves. */
  function stop() {
    ending.abort();
    walk.stop();
  }

  const play = () => {
    walk.show(shown[current].captioned);
    if (ending.signal.aborted) walk.stop();
  };
  image.addEventListener('load', play, { signal });
  for (const touch of TOUCHES)
    document.addEventListener(touch, stop, { signal: ending.signal, capture: true, passive: true, once: true });
  store.subscribeToItems(stop, ending.signal);
  if (calm()) ending.abort();
  const resized = new ResizeObserver(() => walk.repaint());
  resized.observe(image);
  signal.addEventListener('abort', () => resized.disconnect());
  show(0);
  intro.hidden = false;
}
