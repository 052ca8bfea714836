/** @import { App } from '../types.d.ts' */
import { setState } from '../core/dom.js';
import { changedAny } from '../core/store.js';
import { factor, times } from '../core/text.js';

/**
 * What plays the caption, at which speed; smooth maps or bare cells; full screen; and the scale.
 * @param {App} app
 */
export function mountControls({ find, store, constants, signal }) {
  const player = find('.player');
  const play = find('.play');
  const raw = find('.raw');
  const full = find('.full');
  const speed = find('.speed', HTMLSelectElement);

  function drawScale() {
    const { top, state } = store;
    const strongest = `the strongest cell of ${state.sharedTop ? 'these captions' : 'this caption'}`;
    const clear = top < constants.clear ? `${times(top)} uniform, ${strongest}` : `${times(top)} uniform or more`;
    find('.scale').setAttribute('aria-label', `Dark is 0, clear is ${clear}`);
    find('.scale .one').style.left = `${100 * Math.sqrt(1 / top)}%`;
    find('.scale .top').textContent = `${top < constants.clear ? '' : '\u2265 '}${times(top)}`;
  }

  function drawEvidenceScale() {
    const most = factor(store.evidenceTop);
    const label = `Dark: as probable without the cell; clear: ${most} less probable; orange: ${most} more probable`;
    find('.signed').setAttribute('aria-label', label);
    find('.signed .against').textContent = `${most} more`;
    find('.signed .for').textContent = `${most} less`;
  }

  /** The scales of what is shown. */
  function chooseScales() {
    const { view } = store.state;
    for (const part of [find('.scale'), find('.meaning')]) part.hidden = view === 'mattered';
    for (const part of [find('.signed'), find('.signed-meaning')])
      part.hidden = view === 'looked' || !store.evidenceTop;
  }

  store.subscribe((changed) => {
    const { state } = store;
    if (changed.has('playing')) {
      play.textContent = state.playing ? '\u275A\u275A' : '\u25B6\uFE0E';
      play.setAttribute('aria-label', state.playing ? 'Pause' : 'Play');
    }
    if (changed.has('raw')) setState(raw, 'aria-pressed', state.raw);
    if (changed.has('full')) {
      player.classList.toggle('fills', state.full);
      full.textContent = state.full ? 'Leave full screen' : 'Full screen';
    }
    if (state.item && changed.has('caption')) {
      const { side } = state.item;
      raw.textContent = `${side}\u00D7${side} cells`;
      raw.title = `Show the model's own ${side} by ${side} numbers`;
    }
    if (state.item && changedAny(changed, 'caption', 'sharedTop')) drawScale();
    if (state.item && changedAny(changed, 'caption', 'evidence', 'sharedEvidenceTop', 'view')) {
      drawEvidenceScale();
      chooseScales();
    }
  }, signal);

  function toggleFull() {
    const on = !store.state.full;
    store.set({ full: on }); // also where the browser has no full screen for elements, as on iPhones
    if (on) player.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
  }

  const setSpeed = () => store.set({ speed: Number(speed.value) });
  setSpeed(); // browsers may keep it over a reload
  speed.addEventListener('change', setSpeed, { signal });
  play.addEventListener('click', () => store.togglePlaying(), { signal });
  full.addEventListener('click', toggleFull, { signal });
  raw.addEventListener('click', () => store.set({ raw: !store.state.raw }), { signal });
  document.addEventListener(
    'fullscreenchange',
    () => {
      if (!document.fullscreenElement) store.set({ full: false });
    },
    { signal },
  );
  document.addEventListener(
    'keydown',
    (event) => {
      const at = event.target instanceof Element ? event.target : document.body;
      if (!store.state.item || event.ctrlKey || event.metaKey || event.altKey) return;
      if (at.closest('input, textarea, select, [contenteditable], dialog')) return;
      if (event.key === 'f' || event.key === 'F') toggleFull();
      else if (event.key === 'Escape' && store.state.full) toggleFull();
      else if (event.key === ' ' && !at.closest('button, a')) store.togglePlaying();
      else return;
      event.preventDefault();
    },
    { signal },
  );
}
