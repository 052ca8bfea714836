/** @import { App, Item } from '../types.d.ts' */
import { CaptionWalk } from '../core/caption_walk.js';
import { make } from '../core/dom.js';
import { toJpeg } from '../core/drawing/picture.js';
import { LiveLoop } from '../core/live/loop.js';
import { Settling } from '../core/live/settling.js';
import { closeCamera, openCamera, watchCamera } from '../core/live/webcam.js';
import { loading, textOf } from '../core/text.js';

const WIDTH = 1280; // wished of the camera, in pixels
const SPEED = 2.5; // of the words: half a second each
const LOOKING = 'The network is looking\u2026';
const SPOKEN_AFTER_MS = 2000; // a screen reader hears captions that have stayed so long

/**
 * The camera's picture, captioned again and again, until one freezes it to look at it as a photo.
 *
 * @param {App} app
 * @param {number} side pixels along a side of what the model sees
 */
export function mountLive({ find, store, engine, captioning, constants, pick, signal }, side) {
  const button = find('.go-live');
  if (!engine.can('live')) return;
  button.hidden = false;
  const dialog = find('.on-air', HTMLDialogElement);
  const screen = find('.on-air .screen');
  const video = find('.on-air video', HTMLVideoElement);
  const words = find('.on-air .said-live');
  const spoken = find('.on-air .spoken');
  const note = find('.on-air .live-note');
  const trouble = find('.trouble');
  const full = find('.on-air .whole');
  const frame = make('canvas', { width: side, height: side });
  const walk = new CaptionWalk({
    picture: video,
    canvas: find('.on-air canvas', HTMLCanvasElement),
    words,
    constants,
    speed: SPEED,
  });
  /** @type {LiveLoop | null} */
  let loop = null;
  let opening = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let speaking;

  async function open() {
    if (opening || dialog.open) return;
    opening = true;
    complain('');
    try {
      const stream = await openCamera(WIDTH);
      video.srcObject = stream;
      watchCamera(stream, leave);
      dialog.showModal();
      note.textContent = LOOKING;
      await video.play();
      if (dialog.open) start();
    } catch (error) {
      leave(error instanceof Error ? error.message : String(error));
    } finally {
      opening = false;
      if (document.hidden) leave(); // before the camera was on
    }
  }

  function start() {
    const settling = new Settling();
    loop = new LiveLoop({
      ask,
      warn: (text) => {
        note.textContent = text;
      },
      hear(answer) {
        note.textContent = '';
        const change = settling.take(answer, performance.now());
        if (change === 'same') walk.renew(answer);
        if (change === 'another') {
          walk.show(answer);
          speak(textOf(answer.captions[0]));
        }
      },
    });
    loop.run();
  }

  /** @param {AbortSignal} stopped */
  async function ask(stopped) {
    const context = frame.getContext('2d', { willReadFrequently: true });
    if (!context || !engine.live) throw new Error('This browser does not draw.');
    await new Promise((seen) => requestAnimationFrame(seen)); // never faster than the screen
    context.imageSmoothingQuality = 'high';
    context.drawImage(video, 0, 0, side, side);
    return engine.live(frame, store.state.attention, stopped);
  }

  /** @param {string} text */
  function speak(text) {
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      spoken.textContent = text;
    }, SPOKEN_AFTER_MS);
  }

  /** @param {string} text */
  function complain(text) {
    trouble.textContent = text;
    trouble.hidden = !text;
  }

  /** @param {string} [why] one sentence */
  function leave(why) {
    if (dialog.open) dialog.close();
    stop();
    if (why) complain(why);
  }

  function stop() {
    loop?.stop();
    loop = null;
    clearTimeout(speaking);
    closeCamera(video);
    walk.clear();
    spoken.textContent = note.textContent = '';
    if (document.fullscreenElement === screen) document.exitFullscreen();
  }

  async function freeze() {
    if (!video.videoWidth) return;
    const picture = make('canvas', { width: video.videoWidth, height: video.videoHeight });
    picture.getContext('2d')?.drawImage(video, 0, 0);
    leave();
    const blob = await toJpeg(picture, 0.92);
    const [item] = captioning.addFiles([new File([blob], 'live.jpg', { type: 'image/jpeg' })]);
    if (item) openWhenDone(item);
  }

  /** @param {Item} item */
  function openWhenDone(item) {
    const waiting = new AbortController();
    signal.addEventListener('abort', () => waiting.abort(), { once: true });
    store.subscribeToItems((changed) => {
      if (changed !== item || item.state === 'waiting') return;
      waiting.abort();
      if (item.state === 'done') pick(item);
    }, waiting.signal);
  }

  function toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else screen.requestFullscreen?.().catch(() => {});
  }

  engine.watchLoading?.((progress) => {
    if (loop) note.textContent = progress ? loading(progress) : LOOKING;
  }, signal);
  button.addEventListener('click', open, { signal });
  find('.on-air .freeze').addEventListener('click', freeze, { signal });
  find('.on-air .end').addEventListener('click', () => leave(), { signal });
  full.hidden = !document.fullscreenEnabled;
  full.addEventListener('click', toggleFull, { signal });
  dialog.addEventListener('close', stop, { signal });
  dialog.addEventListener(
    'keydown',
    (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.key.toLowerCase() !== 'f') return;
      event.preventDefault();
      toggleFull();
    },
    { signal },
  );
  document.addEventListener(
    'visibilitychange',
    () => {
      if (document.hidden && dialog.open) leave('Live has stopped because the page was hidden; press Live to go on.');
    },
    { signal },
  );
  const sized = () => screen.style.setProperty('--ratio', String(video.videoWidth / video.videoHeight || 1.5));
  video.addEventListener('loadedmetadata', sized, { signal });
  video.addEventListener('resize', sized, { signal });
  const resized = new ResizeObserver(() => walk.repaint());
  resized.observe(video);
  signal.addEventListener('abort', () => {
    resized.disconnect();
    leave();
  });
}
