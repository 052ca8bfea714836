// Part 2: the big player. One photo, one caption, one word at a time.

const FADE_MS = 350, HOLD_MS = 900;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const player = find('.player'), photo = find('.frame img'), canvas = find('canvas'), overlay = find('.cells');

let item = null;           // the photo in the player
let word = 0;              // of its caption
let playing = false, raw = false;
let covered = false;       // the map is hidden: in the game, until a guess is made
let frame = 0, began = 0, from = null, shown = null;
let sharedTop = null;      // of the scale, while captions are compared; else each caption has its own

const caption = () => unpack(item.steered.at(-1) ?? item.captions[item.choice]);
const map = () => caption().maps[word];
const scaleTop = () => sharedTop ?? caption().top;
const textOf = one => one.words.map(each => each.text).join(' ');

// What else wants to know: each panel, when the photo, its caption or the word has changed.
const listeners = [];
const tell = what => listeners.forEach(listener => listener(what));

function open(next) {
  item = next;
  word = 0;                // who hears of the photo must not look for a word that its caption is too short for
  shown = null;
  setPlaying(false);
  player.hidden = false;
  photo.src = item.url ?? item.preview;
  tell('photo');
  useCaption();
}

function shut() {
  setPlaying(false);
  cancelAnimationFrame(frame);   // a map that is gliding has no photo any more
  item = null;
  player.hidden = true;
}

// The caption in the player is another one: of another photo, another candidate, or steered.
function useCaption(start = 0) {
  word = Math.min(start, caption().words.length - 1);
  photo.alt = textOf(caption());
  drawLegend();
  tell('caption');
  show(word);
}

function show(next, focus) {
  const count = caption().words.length;
  word = (next + count) % count;
  from = calm.matches || raw ? null : shown;
  began = performance.now();
  tell('word');
  if (focus) find('.words [aria-pressed=true]').focus();
  tick(began);
}

function tick(now) {
  cancelAnimationFrame(frame);
  const speed = Number(find('.speed').value);
  const target = raw ? map().blocks : map().smooth, share = from ? Math.min(1, (now - began) * speed / FADE_MS) : 1;
  paint(share < 1 ? mix(from, target, share) : target);
  if (share < 1 || (playing && (now - began) * speed < HOLD_MS + FADE_MS)) frame = requestAnimationFrame(tick);
  else if (playing && word + 1 < caption().words.length) show(word + 1);
  else if (playing) setPlaying(false);
}

function paint(drawing) {
  shown = drawing;
  if (fitCanvas(canvas, photo) && !covered) drawVeil(canvas, drawing, scaleTop(), raw);
}

const repaint = () => item && shown && paint(raw ? map().blocks : map().smooth);

function setPlaying(on) {
  playing = on;
  const button = find('.play');
  button.textContent = on ? '\u275A\u275A' : '\u25B6\uFE0E';
  button.setAttribute('aria-label', on ? 'Pause' : 'Play');
}

function togglePlaying() {
  setPlaying(!playing);
  if (playing) show(word + 1 < caption().words.length ? word : 0);
}

function drawLegend() {
  const top = scaleTop();
  const clear = top < CLEAR ? `${times(top)} uniform, the strongest cell of ${sharedTop ? 'these captions' : 'this caption'}` : `${times(top)} uniform or more`;
  find('.scale').setAttribute('aria-label', `Dark is 0, clear is ${clear}`);
  find('.scale .one').style.left = `${100 * Math.sqrt(1 / top)}%`;
  find('.scale .top').textContent = `${top < CLEAR ? '' : '\u2265 '}${times(top)}`;
}

// ---- the 8 x 8 cells: to read their numbers, to choose some, to guess one ----

let press = null;          // what a press on a cell does: (cell, isFirst) => ...; null: nothing
const cellButtons = Array.from({ length: CELLS }, (_, cell) => make('button', { tabIndex: cell ? -1 : 0 }));
overlay.append(...cellButtons);

function drawCells() {
  overlay.hidden = !(raw || press);
  overlay.classList.toggle('numbers', raw && !covered);
  overlay.classList.toggle('choosing', Boolean(press));
  if (overlay.hidden) return;
  cellButtons.forEach((button, cell) => {
    const value = covered ? '' : map().cells[cell].toFixed(1);
    button.textContent = raw && !covered ? value : '';
    button.setAttribute('aria-label', `Row ${Math.floor(cell / SIDE) + 1}, column ${cell % SIDE + 1}${covered ? '' : `: ${value} times uniform`}`);
  });
}

function cellAt(event) {
  const box = overlay.hidden ? canvas.getBoundingClientRect() : overlay.getBoundingClientRect();
  const column = Math.floor((event.clientX - box.left) / box.width * SIDE), row = Math.floor((event.clientY - box.top) / box.height * SIDE);
  return row >= 0 && row < SIDE && column >= 0 && column < SIDE ? row * SIDE + column : null;
}

let dragging = null;       // the cell that the pointer was last over
overlay.onpointerdown = event => {
  if (!press) return;
  event.preventDefault();
  overlay.setPointerCapture(event.pointerId);
  dragging = cellAt(event);
  if (dragging !== null) press(dragging, true);
};
overlay.onpointermove = event => {
  const cell = cellAt(event);
  if (dragging === null || cell === null || cell === dragging) return;
  dragging = cell;
  press?.(cell, false);
};
overlay.onpointerup = overlay.onpointercancel = () => { dragging = null; };
overlay.onkeydown = event => {
  const cell = cellButtons.indexOf(event.target), row = Math.floor(cell / SIDE), column = cell % SIDE;
  const next = { ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1], ArrowDown: [row + 1, column], ArrowUp: [row - 1, column] }[event.key];
  if (next) {
    event.preventDefault();
    event.stopPropagation();
    const target = cellButtons[(next[0] + SIDE) % SIDE * SIDE + (next[1] + SIDE) % SIDE];
    cellButtons.forEach(button => { button.tabIndex = button === target ? 0 : -1; });
    target.focus();
  } else if (press && (event.key === 'Enter' || event.key === ' ')) {
    event.preventDefault();
    event.stopPropagation();
    press(cell, true);
  }
};

listeners.push(drawCells);

// ---- controls ----

function setFull(on) {
  player.classList.toggle('fills', on);
  find('.full').textContent = on ? 'Leave full screen' : 'Full screen';
  repaint();
}

function toggleFull() {
  const on = !player.classList.contains('fills');
  setFull(on);             // also where the browser has no full screen for elements, as on iPhones
  if (on) player.requestFullscreen?.().catch(() => {});
  else if (document.fullscreenElement) document.exitFullscreen();
}

document.addEventListener('fullscreenchange', () => { if (!document.fullscreenElement) setFull(false); });
find('.play').onclick = togglePlaying;
find('.full').onclick = toggleFull;
find('.raw').onclick = event => {
  raw = !raw;
  event.currentTarget.setAttribute('aria-pressed', raw);
  show(word);
};
photo.onload = () => {
  find('.frame').style.setProperty('--ratio', photo.naturalWidth / photo.naturalHeight);
  repaint();
};
new ResizeObserver(repaint).observe(find('.stage'));

document.addEventListener('keydown', event => {
  if (!item || player.hidden || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.('input, textarea, select, [contenteditable], dialog')) return;
  if (event.key === 'f' || event.key === 'F') toggleFull();
  else if (event.key === 'Escape' && player.classList.contains('fills')) toggleFull();
  else if (event.key === ' ' && !event.target.closest?.('button, a')) togglePlaying();
  else return;
  event.preventDefault();
});
