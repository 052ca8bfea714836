/** @import { App, Engine, OfflineValue, PageValue, Panel } from './types.d.ts' */
import { Captioning } from './core/captioning.js';
import { calm, finder, reveal } from './core/dom.js';
import { forget } from './core/drawing/picture.js';
import { PhotoFiles } from './core/photo_files.js';
import { Store } from './core/store.js';
import { compare } from './panels/compare.js';
import { guess } from './panels/guess.js';
import { occlusion } from './panels/occlusion.js';
import { otherCaptions } from './panels/other_captions.js';
import { otherWords } from './panels/other_words.js';
import { save } from './panels/save.js';
import { mountCamera } from './views/camera.js';
import { mountCards } from './views/cards.js';
import { mountControls } from './views/controls.js';
import { mountDevice } from './views/device.js';
import { mountEvidence } from './views/evidence.js';
import { mountExamples } from './views/examples.js';
import { mountGrid } from './views/grid.js';
import { mountIntake } from './views/intake.js';
import { mountIntro } from './views/intro.js';
import { mountLive } from './views/live.js';
import { mountLoading } from './views/loading.js';
import { mountProgress } from './views/progress.js';
import { mountReload } from './views/reload.js';
import { mountStage } from './views/stage.js';
import { mountTools } from './views/tools.js';
import { mountWords } from './views/words.js';

/** @type {Map<HTMLElement, () => void>} */
const mounted = new Map();

/**
 * Brings the player to life in an element that holds player.html.
 *
 * @param {HTMLElement} element
 * @param {{ value: PageValue | OfflineValue | null }} props its value may come later
 * @param {Engine} engine answers what the player asks about photos: one of those in engines/
 * @param {(name: string, listener: () => void) => void} [watch] calls when a property has changed
 * @returns {() => void} takes the player out again: nothing of it listens any more
 */
export function mount(element, props, engine, watch = () => {}) {
  // Gradio does not say when it takes an element out of the page.
  for (const [other, unmount] of mounted) if (other === element || !other.isConnected) unmount();
  const life = new AbortController();
  mounted.set(element, () => {
    mounted.delete(element);
    life.abort();
  });
  let started = false;
  const start = () => {
    if (started || !props.value || life.signal.aborted) return;
    started = true;
    run(element, props.value, engine, life.signal);
  };
  watch('value', start);
  start();
  return () => mounted.get(element)?.();
}

/**
 * @param {HTMLElement} element
 * @param {PageValue | OfflineValue} value
 * @param {Engine} engine
 * @param {AbortSignal} signal
 */
function run(element, value, engine, signal) {
  const find = finder(element);
  const root = find('.root');
  const asItWas = root.cloneNode(true);
  const live = find('.live');
  const store = new Store();
  /** @param {string} text */
  const say = (text) => {
    live.textContent = text;
  };
  const captioning = new Captioning({ store, engine, say, ...limitsOf(value) });
  /** @type {App} */
  const app = {
    root,
    find,
    store,
    engine,
    captioning,
    constants: value.constants,
    signal,
    say,
    pick(item) {
      store.open(item);
      captioning.complete();
      reveal(find('.player'));
      if (!calm() && !store.state.press) store.togglePlaying();
    },
  };
  const attentions = 'attentions' in value ? value.attentions : [];

  // Who subscribes first hears first: the player is as it should be before a panel looks at it.
  for (const view of [mountEvidence, mountStage, mountGrid, mountWords, mountControls, mountCards]) view(app);
  /** @type {(Panel | false)[]} */
  const panels = [
    otherWords(app),
    otherCaptions(app),
    engine.can('occlude') && occlusion(app),
    guess(app),
    engine.can('attend') && attentions.length > 1 && compare(app, attentions),
    engine.can('save') && save(app),
  ];
  mountTools(
    app,
    panels.filter((panel) => panel !== false),
  );

  if ('items' in value) {
    root.classList.add('offline');
    for (const { image, ...fields } of value.items)
      captioning.openFirst(store.add({ ...fields, state: 'done', url: image.url, preview: image.url }));
  } else {
    store.set({ attention: attentions[0] });
    mountProgress(app);
    mountLoading(app);
    mountDevice(app);
    mountIntake(app, value.retention_minutes);
    mountCamera(app);
    mountLive(app, value.frame_side);
    mountExamples(app, value.samples);
    mountReload(app, value.samples, attentions);
    mountIntro(app, value.samples);
  }
  root.classList.add('ready');
  signal.addEventListener('abort', () => {
    for (const item of store.items) forget(item.url);
    root.replaceWith(asItWas);
  });
}

/**
 * Which files the page takes, and how many.
 * @param {PageValue | OfflineValue} value
 */
function limitsOf(value) {
  if (!('photo_rules' in value)) return { photoFiles: null, largest: 0, most: 0 };
  return { photoFiles: new PhotoFiles(value.photo_rules), largest: value.largest_bytes, most: value.most_photos };
}
