// The attention player: cards with captions, and one big photo on which the attention glides from word to word.
// Runs once, with Gradio's `element`, `props` and `watch`. The value is what app.py's docstring of AttentionPlayer says.
// Texts of others (captions, file names) only ever become textContent.

const SIDE = 8;            // cells of the model's grid
const FINE = 64;           // side of the smooth map
const FADE_MS = 350, HOLD_MS = 900;
const VEIL = [8, 10, 24], OPACITY = 0.82;   // as in capmodel/render.py
const find = selector => element.querySelector(selector);
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const photo = find('.frame img'), canvas = find('.frame canvas'), words = find('.words');
const fine = document.createElement('canvas');
fine.width = fine.height = FINE;

let items = [], current = -1, word = 0, playing = false, frame = 0, began = 0, from = null, shown = null;

// Catmull-Rom weights, 8 -> FINE, as in capmodel/render.py: at the middle of a cell the cell's own value.
const TAPS = Array.from({ length: FINE }, (_, pixel) => {
  const place = (pixel + .5) * SIDE / FINE - .5, cell = Math.floor(place), f = place - cell;
  return [-.5 * f ** 3 + f ** 2 - .5 * f, 1.5 * f ** 3 - 2.5 * f ** 2 + 1, -1.5 * f ** 3 + 2 * f ** 2 + .5 * f, .5 * f ** 3 - .5 * f ** 2]
    .map((tap, k) => [Math.min(SIDE - 1, Math.max(0, cell - 1 + k)), tap]);
});

function smooth(cells) {   // 64 numbers -> FINE * FINE, in times uniform
  const across = new Float32Array(SIDE * FINE), out = new Float32Array(FINE * FINE);
  for (let y = 0; y < SIDE; y++)
    for (let x = 0; x < FINE; x++)
      for (const [cell, tap] of TAPS[x]) across[y * FINE + x] += tap * cells[y * SIDE + cell];
  for (let y = 0; y < FINE; y++)
    for (const [cell, tap] of TAPS[y])
      for (let x = 0; x < FINE; x++) out[y * FINE + x] += tap * across[cell * FINE + x];
  return out.map(value => Math.max(0, value));
}

function maps(item) {      // base64 of float32 weights -> one smooth map a word
  if (!item.maps) {
    const bytes = Uint8Array.from(atob(item.weights), char => char.charCodeAt(0));
    const cells = new Float32Array(bytes.buffer).map(weight => weight * SIDE * SIDE);
    item.maps = item.words.map((_, k) => smooth(cells.subarray(k * SIDE * SIDE, (k + 1) * SIDE * SIDE)));
  }
  return item.maps;
}

function paint(map) {
  shown = map;
  const width = photo.clientWidth, height = photo.clientHeight, scale = Math.min(2, devicePixelRatio || 1);
  if (!width || !items[current]) return;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const context = fine.getContext('2d'), pixels = context.createImageData(FINE, FINE);
  for (let i = 0; i < FINE * FINE; i++) {
    pixels.data.set(VEIL, 4 * i);
    pixels.data[4 * i + 3] = 255 * OPACITY * (1 - Math.sqrt(Math.min(1, map[i] / items[current].top)));
  }
  context.putImageData(pixels, 0, 0);
  const target = canvas.getContext('2d');
  target.imageSmoothingQuality = 'high';
  target.drawImage(fine, 0, 0, canvas.width, canvas.height);
}

function tick(now) {
  cancelAnimationFrame(frame);
  const target = maps(items[current])[word], share = from ? Math.min(1, (now - began) / FADE_MS) : 1;
  paint(share < 1 ? target.map((value, i) => from[i] + (value - from[i]) * share) : target);
  const wait = playing && now - began < HOLD_MS + FADE_MS;
  if (share < 1 || wait) frame = requestAnimationFrame(tick);
  else if (playing && word + 1 < items[current].words.length) show(word + 1);
  else if (playing) play(false);
}

function show(next, focus) {
  const count = items[current].words.length;
  word = (next + count) % count;
  [...words.children].forEach((button, k) => {
    button.setAttribute('aria-pressed', k === word);
    button.tabIndex = k === word ? 0 : -1;
    if (focus && k === word) button.focus();
  });
  from = calm.matches ? null : shown;
  began = performance.now();
  tick(began);
}

function play(on) {
  playing = on;
  const button = find('.play');
  button.textContent = on ? '\u275A\u275A' : '\u25B6';
  button.setAttribute('aria-label', on ? 'Pause' : 'Play');
  if (on) show(word + 1 < items[current].words.length ? word : 0);
}

function open(index) {
  current = index;
  const item = items[index];
  shown = null;
  play(false);
  photo.alt = item.words.join(' ');
  photo.onload = () => shown && paint(shown);
  photo.src = item.image.url;
  words.replaceChildren(...item.words.map((text, k) => {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = text;
    button.onpointerenter = event => { if (event.pointerType === 'mouse') { play(false); show(k); } };
    button.onclick = () => { play(false); show(k); };
    return button;
  }));
  find('.legend .top').textContent = `${item.top.toFixed(1)}\u00D7`;
  find('.player').hidden = false;
  markCurrent();
  show(0);
}

function markCurrent() {
  find('.cards').querySelectorAll('.card').forEach((card, k) => card.setAttribute('aria-current', k === current));
}

function makeCard(item, index) {
  const card = document.createElement('li'), text = document.createElement('p');
  card.className = item.error ? 'card bad' : 'card';
  text.textContent = item.error ? `${item.name}: ${item.error}` : item.words.join(' ');
  if (item.error) {
    card.append(text);
    return card;
  }
  const button = document.createElement('button'), image = document.createElement('img');
  button.type = 'button';
  image.src = item.image.url;
  image.alt = '';
  button.append(image, text);
  button.onclick = () => {
    open(index);
    find('.player').scrollIntoView({ block: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
    if (!calm.matches) play(true);
  };
  card.append(button);
  return card;
}

function placeholder() {
  const card = document.createElement('li'), blank = document.createElement('div');
  card.className = 'card wait';
  blank.className = 'blank';
  card.append(blank);
  return card;
}

function render() {
  const value = props.value || { items: [], total: 0 }, cards = find('.cards');
  const open_key = items[current]?.key;
  value.items.forEach((item, index) => {   // cards that are there stay: no flicker, and the focus survives
    if (items[index]?.key === item.key && cards.children[index]) return;
    const card = makeCard(item, index);
    if (cards.children[index]) cards.children[index].replaceWith(card);
    else cards.append(card);
    items[index] = item;
  });
  items.length = value.items.length;
  while (cards.children.length > items.length) cards.lastChild.remove();
  for (let k = items.length; k < value.total; k++) cards.append(placeholder());
  if (value.total) find('.live').textContent = `${items.length} of ${value.total} photos captioned. ${items.at(-1)?.words?.join(' ') || ''}`;
  current = items.findIndex(item => item.key === open_key);   // photos may have been removed before it
  if (current >= 0) return markCurrent();
  play(false);
  const first = items.findIndex(item => !item.error);
  if (first >= 0) open(first);
  else find('.player').hidden = true;
}

find('.play').onclick = () => play(!playing);
words.onkeydown = event => {
  const move = { ArrowRight: word + 1, ArrowLeft: word - 1, Home: 0, End: -1 }[event.key];
  if (move === undefined) return;
  event.preventDefault();
  play(false);
  show(move, true);
};
new ResizeObserver(() => shown && paint(shown)).observe(find('.stage'));
watch('value', render);
render();

// Gradio's own file field takes a drop only while it is empty, and no paste: hand both over to it.
function handOver(files) {
  const photos = [...files].filter(file => file.type.startsWith('image/') || /\.hei[cf]$/i.test(file.name));
  const input = document.querySelector('#photos input[type=file]');
  if (!photos.length || !input) return;
  const transfer = new DataTransfer();
  photos.forEach(file => transfer.items.add(file));
  input.files = transfer.files;
  input.dispatchEvent(new Event('change', { bubbles: true }));
}
document.addEventListener('paste', event => handOver(event.clipboardData?.files || []));
document.addEventListener('dragover', event => event.preventDefault());
document.addEventListener('drop', event => {
  event.preventDefault();
  if (!event.target.closest?.('#photos button')) handOver(event.dataTransfer.files);
});
