/** @import { App, Caption, Panel, View, WordMap } from '../types.d.ts' */
import { busy, calm, complaint, make, setState } from '../core/dom.js';
import { spread, unpack, unpackEvidence } from '../core/drawing/overlay.js';
import { Pane } from '../core/pane.js';
import { changedAny } from '../core/store.js';
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
 * @property {HTMLElement} pictures
 * @property {Mini[]} minis
 * @property {HTMLElement[]} words
 * @property {HTMLElement} spread
 * @property {HTMLElement} agreement
 * @property {Caption} caption
 * @property {number} side
 * @property {WordMap[]} maps
 */

/**
 * A small photo under a map of attention or, if signed, of evidence.
 *
 * @typedef {object} Mini
 * @property {boolean} signed
 * @property {HTMLImageElement} image
 * @property {Pane} pane
 */

/** @type {Record<View, boolean[]>} */
const MAPS = { looked: [false], mattered: [true], both: [false, true] }; // whether each is signed

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
  let answer = make('div');

  const longest = () => Math.max(0, ...ways.map((way) => way.words.length));

  /**
   * The word of a way that is shown: one that has no more words stays at its last.
   * @param {Way} way
   */
  const wordOf = ({ words }) => Math.min(step, words.length - 1);

  /** @param {boolean} glides */
  function aim(glides) {
    const { raw } = store.state;
    for (const way of ways) {
      const evidence = way.caption.evidence && unpackEvidence(way.caption, way.caption.evidence, way.side);
      for (const { signed, pane } of way.minis) {
        const map = (signed ? evidence : way.maps)?.[wordOf(way)];
        const top = signed ? store.state.sharedEvidenceTop : store.top; // null until all are measured
        pane.aim(
          map && top ? { drawing: raw ? map.blocks : map.smooth, top, signed } : null,
          raw,
          glides && !raw && !calm(),
        );
      }
    }
  }

  /** @param {number} share of the fade */
  function paint(share) {
    for (const { minis } of ways) for (const { pane } of minis) pane.paint(share);
  }

  function repaint() {
    if (ways.length) clock.tick(); // a map that is gliding goes on from where it is
  }

  const clock = new WordClock({
    draw: paint,
    playing: () => together,
    speed: () => store.state.speed,
    next: () => (step + 1 < longest() ? stepTo(step + 1) : setTogether(false)),
  });

  /** Says what belongs to the word of each. */
  function tell() {
    for (const way of ways) {
      const at = wordOf(way);
      way.words.forEach((word, k) => {
        word.classList.toggle('now', k === at);
      });
      const cells = spread(way.maps[at].cells);
      way.spread.textContent = `spread over ${cells < 9.95 ? cells.toFixed(1) : Math.round(cells)} cells`;
      way.agreement.textContent = way.caption.evidence?.words[at].sentence ?? '';
      way.agreement.hidden = store.state.view === 'looked';
    }
  }

  /**
   * All go to a word. The player goes with them.
   * @param {number} next
   */
  function stepTo(next) {
    step = next;
    tell();
    aim(true);
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
    const pictures = make('div', { className: 'minis' });
    const agreement = make('p', { className: 'agrees' });
    const words = caption.words.map(({ text }) => make('span', { textContent: text }));
    const spreadOver = make('p', { className: 'spread' });
    const node = make(
      'section',
      { className: 'way' },
      make('h3', { textContent: name }),
      make('p', { textContent: KINDS_OF_ATTENTION[name] ?? '' }),
      pictures,
      make('p', { className: 'said' }, ...words.flatMap((word) => [word, ' '])),
      spreadOver,
      agreement,
    );
    node.setAttribute('aria-label', `${name} attention`);
    const maps = unpack(caption, side);
    return { node, pictures, minis: [], words, spread: spreadOver, agreement, caption, side, maps };
  }

  /** Gives each the photos of the view. */
  function drawMinis() {
    for (const way of ways) {
      const canvases = MAPS[store.state.view].map(() => make('canvas'));
      way.minis = canvases.map((canvas, k) => {
        const image = make('img', { alt: '', onload: repaint, src: pictureUrl() });
        canvas.setAttribute('aria-hidden', 'true');
        return { signed: MAPS[store.state.view][k], image, pane: new Pane(image, canvas, constants) };
      });
      const both = canvases.length > 1;
      way.pictures.replaceChildren(
        ...way.minis.map(({ signed, image }, k) => {
          const tag = both ? [make('span', { className: 'tag', textContent: signed ? 'Mattered' : 'Looked' })] : [];
          return make('div', { className: 'mini' }, image, canvases[k], ...tag);
        }),
      );
    }
  }

  /** Measures what mattered for each way, if that is to be seen. */
  async function measure() {
    if (store.state.view === 'looked') return;
    const mine = asked;
    const { item } = store.shown;
    try {
      const found = await Promise.all(ways.map(({ caption }) => captioning.evidence(item, caption)));
      if (mine !== asked || !ways.length) return;
      store.set({ sharedEvidenceTop: Math.max(...found.map(({ top }) => top)) });
      tell();
      aim(false);
      repaint();
    } catch (error) {
      if (mine === asked) answer.replaceChildren(complaint(error));
    }
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
    answer = make('div', { className: 'answer' });
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
    drawMinis();
    stepTo(Math.min(store.state.word, longest() - 1));
    measure();
  }

  /** @param {HTMLElement} place */
  async function ask(place) {
    ways = [];
    asked += 1;
    store.set({ sharedEvidenceTop: null });
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
    if (!ways.length) return;
    if (changed.has('view')) {
      drawMinis();
      tell();
      measure();
    }
    if (changedAny(changed, 'view', 'raw')) {
      aim(false);
      repaint();
    }
  }, signal);
  store.subscribeToItems((item) => {
    if (item !== store.state.item) return;
    for (const { image } of ways.flatMap(({ minis }) => minis))
      if (image.src !== pictureUrl()) image.src = pictureUrl();
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
      store.set({ sharedTop: null, sharedEvidenceTop: null });
    },
  };
}
