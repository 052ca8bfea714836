// The attention player, part 1: from the model's numbers to the veil over the photo.
//
// All parts are one function body that runs once, with `element` (the player's root), `props`, `watch`,
// and on the page also `server`. Texts of others (captions, file names) only ever become textContent.

const SIDE = 8;            // cells of the model's grid
const CELLS = SIDE * SIDE;
const FINE = 64;           // side of the smooth map
const VEIL = [8, 10, 24], OPACITY = 0.82, CLEAR = 8;   // as in capmodel/output/overlay.py

const find = selector => element.querySelector(selector), root = find('.root');

// make('button', { className: 'x', textContent: 'y', onclick }, child, ...): an element with properties and children.
function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (tag === 'button') node.type = 'button';
  node.append(...children);
  return node;
}

// Resolves when what was changed is on the screen.
const painted = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));

const percent = share => share < 0.01 ? 'under 1 %' : `${Math.round(100 * share)} %`;
const times = value => `${value.toFixed(1)}\u00D7`;

// Catmull-Rom weights, 8 -> FINE, as in capmodel/output/overlay.py: at the middle of a cell the cell's own value.
const TAPS = Array.from({ length: FINE }, (_, pixel) => {
  const place = (pixel + .5) * SIDE / FINE - .5, cell = Math.floor(place), f = place - cell;
  return [-.5 * f ** 3 + f ** 2 - .5 * f, 1.5 * f ** 3 - 2.5 * f ** 2 + 1, -1.5 * f ** 3 + 2 * f ** 2 + .5 * f, .5 * f ** 3 - .5 * f ** 2]
    .map((tap, k) => [Math.min(SIDE - 1, Math.max(0, cell - 1 + k)), tap]);
});

// Between square roots, as the veil shows them: between the values themselves there would be a dark hole beside a strong cell.
function smooth(cells) {   // 64 numbers -> FINE * FINE, in times uniform
  const roots = cells.map(Math.sqrt);
  const across = new Float32Array(SIDE * FINE), out = new Float32Array(FINE * FINE);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < FINE; x++)
      for (const [cell, tap] of TAPS[x]) across[y * FINE + x] += tap * roots[y * SIDE + cell];
  for (let y = 0; y < FINE; y++)
    for (const [cell, tap] of TAPS[y])
      for (let x = 0; x < FINE; x++) out[y * FINE + x] += tap * across[cell * FINE + x];
  return out.map(value => Math.max(0, value) ** 2);
}

function blocks(cells) {   // 64 numbers -> FINE * FINE, each cell a square
  const size = FINE / SIDE;
  return Float32Array.from({ length: FINE * FINE }, (_, i) => cells[Math.floor(i / FINE / size) * SIDE + Math.floor(i % FINE / size)]);
}

// A caption as the server sends it gets `maps`: for each word its 64 cells in times uniform, and both drawings of them.
function unpack(caption) {
  if (caption.maps) return caption;
  const bytes = Uint8Array.from(atob(caption.weights), char => char.charCodeAt(0));
  const all = new Float32Array(bytes.buffer).map(weight => weight * CELLS);
  caption.maps = caption.words.map((_, k) => {
    const cells = all.subarray(k * CELLS, (k + 1) * CELLS);
    return { cells, peak: Math.max(...cells), smooth: smooth(cells), blocks: blocks(cells) };
  });
  return caption;
}

// Between two drawings: share 0 is the first, 1 the second.
const mix = (from, to, share) => to.map((value, i) => from[i] + (value - from[i]) * share);

// Gives a canvas the pixels that an image takes on the screen; false if it takes none.
function fitCanvas(canvas, image) {
  const scale = Math.min(2, devicePixelRatio || 1);
  canvas.width = Math.round(image.clientWidth * scale);
  canvas.height = Math.round(image.clientHeight * scale);
  return canvas.width > 0 && canvas.height > 0;
}

const fine = make('canvas', { width: FINE, height: FINE });

// Draws the veil: it thins with the square root of attention, as eyes see light, up to the scale's top.
function drawVeil(canvas, drawing, top, sharp) {
  const context = fine.getContext('2d'), pixels = context.createImageData(FINE, FINE);
  for (let i = 0; i < FINE * FINE; i++) {
    pixels.data.set(VEIL, 4 * i);
    pixels.data[4 * i + 3] = 255 * OPACITY * (1 - Math.sqrt(Math.min(1, drawing[i] / top)));
  }
  context.putImageData(pixels, 0, 0);
  const target = canvas.getContext('2d');
  target.clearRect(0, 0, canvas.width, canvas.height);
  target.imageSmoothingEnabled = !sharp;
  target.imageSmoothingQuality = 'high';
  target.drawImage(fine, 0, 0, canvas.width, canvas.height);
}
