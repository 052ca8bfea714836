/** @import { App, Caption, Drawing, Panel, WordMap } from '../types.d.ts' */
import { drawOverlay, fitCanvas } from '../core/canvas.js';
import { busy, calm, complaint, make, setState } from '../core/dom.js';
import { mix, spread, unpack } from '../core/overlay.js';
import { WordClock } from '../core/timeline.js';

const NAME = 'Ways to attend';
/** @type {Record<string, string>} */
const KINDS_OF_ATTENTION = {
  softmax: 'every cell counts, some more',
  sparsemax: 'only few cells count',
  hard: 'one cell counts',
};

/**
 * The photo with one kind of attention.
 *
 * @typedef {object} Way
 * @property {HTMLElement} node
 * @property {HTMLImageElement} image
 * @property {HTMLCanvasElement} canvas
 * @property {HTMLElement[]} words
 * @property {HTMLElement} spread
 * @property {WordMap[]} maps
 * @property {WordMap | null} now
 * @property {Drawing | null} from
 * @property {Drawing | null} drawn
 */

/**
 * The same photo with several kinds of attention, word by word in step.
 *
 * @param {App} app
 * @param {string[]} attentions their names
 * @returns {Panel}
 */
export function compare({ find, store, captioning, constants, signal }, attentions) {
  const list = find('.ways');
  /** @type {Way[]} */
  let ways = [];
  let asked = 0; // how often they were wanted: only the latest are drawn
  let step = 0;
  let together = false; // they play
  /** @type {HTMLButtonElement | null} */
  let play = null;

  const longest = () => Math.max(0, ...ways.map((way) => way.words.length));

  /**
   * @param {Way} way
   * @param {number} share of the fade
   */
  function paint(way, share) {
    if (!way.now || !fitCanvas(way.canvas, way.image)) return;
    const { raw } = store.state;
    way.drawn = mix(way.from, raw ? way.now.blocks : way.now.smooth, share);
    drawOverlay(way.canvas, way.drawn, { top: store.top, sharp: raw, constants });
  }

  const repaint = () => {
    for (const way of ways) paint(way, 1);
  };

  const clock = new WordClock({
    draw: (share) => {
      for (const way of ways) paint(way, share);
    },
    playing: () => together,
    speed: () => store.state.speed,
    next: () => (step + 1 < longest() ? stepTo(step + 1) : setTogether(false)),
  });

  /**
   * All go to a word; one that has no more words stays at its last. The player goes with them.
   * @param {number} next
   */
  function stepTo(next) {
    step = next;
    for (const way of ways) {
      const at = Math.min(step, way.words.length - 1);
      way.from = calm() || store.state.raw ? null : way.drawn;
      way.now = way.maps[at];
      way.words.forEach((word, k) => {
        word.classList.toggle('now', k === at);
      });
      const cells = spread(way.now.cells);
      way.spread.textContent = `spread over ${cells < 9.95 ? cells.toFixed(1) : Math.round(cells)} cells`;
    }
    if (step !== store.state.word && step < store.shown.caption.words.length) store.show(step);
    clock.begin(true);
  }

  /** @param {boolean} on */
  function setTogether(on) {
    together = on;
    if (play) play.textContent = on ? 'Pause' : 'Play together';
  }

  function togglePlaying() {
    store.set({ playing: false });
    setTogether(!together);
    if (together) stepTo(step + 1 < longest() ? step : 0);
  }

  /**
   * @param {string} name
   * @param {Caption} caption
   * @param {number} side
   * @returns {Way}
   */
  function makeWay(name, caption, side) {
    const image = make('img', { alt: '' });
    const canvas = make('canvas');
    const words = caption.words.map(({ text }) => make('span', { textContent: text }));
    const spreadOver = make('p', { className: 'spread' });
    canvas.setAttribute('aria-hidden', 'true');
    const node = make(
      'section',
      { className: 'way' },
      make('h3', { textContent: name }),
      make('p', { textContent: KINDS_OF_ATTENTION[name] ?? '' }),
      make('div', { className: 'mini' }, image, canvas),
      make('p', { className: 'said' }, ...words.flatMap((word) => [word, ' '])),
      spreadOver,
    );
    node.setAttribute('aria-label', `${name} attention`);
    const maps = unpack(caption, side);
    /** @type {Way} */
    const way = { node, image, canvas, words, spread: spreadOver, maps, now: null, from: null, drawn: null };
    image.onload = () => paint(way, 1);
    image.src = pictureUrl();
    return way;
  }

  const pictureUrl = () => store.shown.item.url || store.shown.item.preview;

  /**
   * @param {HTMLElement} place
   * @param {{ caption: Caption, side: number }[]} found
   */
  function draw(place, found) {
    ways = attentions.map((name, k) => makeWay(name, found[k].caption, found[k].side));
    list.replaceChildren(...ways.map(({ node }) => node));
    list.hidden = false;
    store.set({ sharedTop: Math.max(...found.map(({ caption }) => caption.top)) });
    play = make('button', { className: 'primary together', onclick: togglePlaying });
    const answer = make('div', { className: 'answer' });
    const choices = attentions.map((name) => {
      const button = make('button', { textContent: name });
      setState(button, 'aria-pressed', name === store.shown.item.attention);
      button.onclick = () => busy(button, answer, () => captioning.useAttention(name));
      return button;
    });
    place.replaceChildren(
      make('p', {
        textContent: 'One photo, seen in different ways, word by word in step. All maps share one scale.',
      }),
      play,
      make(
        'div',
        { className: 'row choose-attention' },
        make('span', { textContent: 'For all photos use' }),
        ...choices,
      ),
      answer,
    );
    setTogether(together);
    stepTo(Math.min(store.state.word, longest() - 1));
  }

  /** @param {HTMLElement} place */
  async function ask(place) {
    ways = [];
    asked += 1;
    const mine = asked;
    const { item, caption, side } = store.shown;
    if (!place.hasChildNodes()) place.append(make('p', { textContent: 'The network is looking\u2026' }));
    const latest = () => mine === asked && item === store.state.item && store.state.panel === NAME;
    try {
      const found = await Promise.all(
        attentions.map(async (name) => {
          if (name === item.attention) return { caption, side }; // as the player shows it
          const other = await captioning.attend(item, name);
          return { caption: other.captions[0], side: other.side };
        }),
      );
      if (latest()) draw(place, found);
    } catch (error) {
      if (latest()) place.replaceChildren(complaint(error));
    }
  }

  store.subscribe((changed) => {
    if (ways.length && changed.has('raw')) repaint();
  }, signal);
  store.subscribeToItems((item) => {
    if (item !== store.state.item) return;
    for (const { image } of ways) if (image.src !== pictureUrl()) image.src = pictureUrl();
  }, signal);
  const resized = new ResizeObserver(repaint);
  resized.observe(list);
  signal.addEventListener('abort', () => {
    resized.disconnect();
    clock.stop();
  });

  return {
    name: NAME,
    draw(changed, place) {
      if (changed.has('caption')) ask(place);
      else if (changed.has('word')) {
        const { word } = store.state;
        const last = store.shown.caption.words.length - 1;
        const follows = word === step || (step > last && word === last);
        if (!follows) stepTo(word);
      }
    },
    close() {
      clock.stop();
      ways = [];
      together = false;
      list.hidden = true;
      store.set({ sharedTop: null });
    },
  };
}
