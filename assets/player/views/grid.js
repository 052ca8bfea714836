/** @import { App } from '../types.d.ts' */
import { make, setState } from '../core/dom.js';
import { changedAny } from '../core/store.js';
import { lessProbable } from '../core/text.js';

/**
 * The model's cells over the photo: to read their numbers, to choose some, to guess one, or to point at one.
 * @param {App} app
 */
export function mountGrid({ find, store, signal }) {
  const grid = find('.cells');
  const frame = find('.frame');
  /** @type {HTMLButtonElement[]} */
  let buttons = [];
  let side = 0;

  /** @param {number} next */
  function makeCells(next) {
    side = next;
    buttons = Array.from({ length: side * side }, (_, cell) => make('button', { tabIndex: cell ? -1 : 0 }));
    grid.style.setProperty('--side', String(side));
    grid.replaceChildren(...buttons);
  }

  function draw() {
    const { raw, covered, press, chosen, guess, view } = store.state;
    const { map, evidence, word } = store.shown;
    const nats = view === 'mattered' ? evidence?.[word].cells : null; // null: attention
    if (side !== store.shown.side) makeCells(store.shown.side);
    grid.hidden = !(raw || press);
    grid.classList.toggle('numbers', raw && !covered);
    grid.classList.toggle('choosing', Boolean(press));
    if (grid.hidden) return;
    buttons.forEach((button, cell) => {
      const value = nats === null ? map.cells[cell].toFixed(1) : nats ? Math.exp(nats[cell]).toFixed(2) : '';
      const meaning = nats ? `${lessProbable(nats[cell])} without it` : `${value} times uniform`;
      const place = `Row ${Math.floor(cell / side) + 1}, column ${(cell % side) + 1}`;
      button.textContent = raw && !covered ? value : '';
      button.setAttribute('aria-label', covered || !value ? place : `${place}: ${meaning}`);
      setState(button, 'aria-pressed', chosen ? chosen.has(cell) : null);
      button.classList.toggle('chosen', Boolean(chosen?.has(cell)));
      button.classList.toggle('guess', guess === cell);
    });
  }

  store.subscribe((changed) => {
    if (!store.state.item) return;
    if (changedAny(changed, 'caption', 'evidence', 'view', 'word', 'raw', 'covered', 'press', 'chosen', 'guess'))
      draw();
  }, signal);

  // ---- the pointer ----

  /** @param {PointerEvent} event */
  function cellAt(event) {
    const box = frame.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * side);
    const row = Math.floor(((event.clientY - box.top) / box.height) * side);
    return row >= 0 && row < side && column >= 0 && column < side ? row * side + column : null;
  }

  /** @param {number | null} cell */
  const point = (cell) => store.set({ pointed: store.state.covered ? null : cell });

  for (const kind of /** @type {const} */ (['pointermove', 'pointerdown']))
    frame.addEventListener(kind, (event) => point(cellAt(event)), { signal });
  frame.addEventListener('pointerleave', () => point(null), { signal });
  grid.addEventListener('focusout', () => point(null), { signal });
  grid.addEventListener(
    'focusin',
    ({ target }) => {
      if (target instanceof HTMLButtonElement) point(buttons.indexOf(target));
    },
    { signal },
  );

  /** @type {number | null} */
  let dragged = null; // the cell that the pressed pointer was last over
  const release = () => {
    dragged = null;
  };
  grid.addEventListener(
    'pointerdown',
    (event) => {
      const { press } = store.state;
      if (!press) return;
      event.preventDefault();
      grid.setPointerCapture(event.pointerId);
      dragged = cellAt(event);
      if (dragged !== null) press(dragged, true);
    },
    { signal },
  );
  grid.addEventListener(
    'pointermove',
    (event) => {
      const cell = cellAt(event);
      if (dragged === null || cell === null || cell === dragged) return;
      dragged = cell;
      store.state.press?.(cell, false);
    },
    { signal },
  );
  grid.addEventListener('pointerup', release, { signal });
  grid.addEventListener('pointercancel', release, { signal });

  // ---- keys ----

  /** @type {Record<string, [rows: number, columns: number]>} */
  const MOVES = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

  grid.addEventListener(
    'keydown',
    (event) => {
      const cell = event.target instanceof HTMLButtonElement ? buttons.indexOf(event.target) : -1;
      const move = MOVES[event.key];
      if (cell < 0) return;
      if (move) {
        const row = (Math.floor(cell / side) + move[0] + side) % side;
        const column = ((cell % side) + move[1] + side) % side;
        buttons.forEach((button, k) => {
          button.tabIndex = k === row * side + column ? 0 : -1;
        });
        buttons[row * side + column].focus();
      } else if (store.state.press && (event.key === 'Enter' || event.key === ' ')) store.state.press(cell, true);
      else return;
      event.preventDefault();
      event.stopPropagation();
    },
    { signal },
  );
}
