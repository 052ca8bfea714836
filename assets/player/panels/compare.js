// Part 6: the same photo with several kinds of attention, word by word in step. Only on the page, not offline.

const KINDS_OF_ATTENTION = {
  softmax: 'every cell counts, some more',
  sparsemax: 'only few cells count',
  hard: 'one cell counts',
};

let attentions = [];       // their names, as the server has them
let attention = null;      // the one that photos are captioned with
let views = [];            // { node, caption, image, canvas, words, spread, now, from, drawn }: one for each attention
let asked = 0;             // how often the views were wanted: only the latest are drawn
let step = 0, stepBegan = 0, stepFrame = 0, together = false;

const ways = make('div', { className: 'ways', hidden: true });
find('.stage').append(ways);
photo.addEventListener('load', () => views.forEach(view => { view.image.src = photo.src; }));
new ResizeObserver(() => views.forEach(view => paintView(view, 1))).observe(ways);

// A photo's key and captions with an attention.
async function attend(one, name) {
  one.under ??= {};
  one.under[one.attention] ??= { key: one.key, captions: one.captions };
  return one.under[name] ??= await ask('attend', { attention: name }, one);
}

// Captions a photo anew with the attention that is in use now.
async function turn(one) {
  const name = attention, found = await attend(one, name);
  if (attention !== name || one.attention === name || !items.includes(one)) return;   // another choice in the meantime
  Object.assign(one, { key: found.key, captions: found.captions, attention: name, choice: 0, steered: [] });
  drawCard(one);
  if (one === item) useCaption(word);
}

async function useAttention(name) {
  attention = name;
  for (const one of items.filter(each => each.state === 'done')) await turn(one);
  say(`Captions are now written with ${name} attention.`);
}

// Over how many cells a map is spread: the exponential of its entropy; 64 if it is flat, 1 if it is all on one.
function spreadOf({ cells }) {
  return Math.exp(cells.reduce((sum, value) => sum - (value ? value / CELLS * Math.log(value / CELLS) : 0), 0));
}

function makeView(name, shown) {
  const view = { caption: shown, image: make('img', { src: photo.src, alt: '' }), canvas: make('canvas'), spread: make('p', { className: 'spread' }) };
  view.words = shown.words.map(each => make('span', { textContent: each.text }));
  view.canvas.setAttribute('aria-hidden', true);
  view.image.onload = () => paintView(view, 1);
  view.node = make('section', { className: 'way' },
    make('h3', { textContent: name }), make('p', { textContent: KINDS_OF_ATTENTION[name] }),
    make('div', { className: 'mini' }, view.image, view.canvas),
    make('p', { className: 'said' }, ...view.words.flatMap(each => [each, ' '])), view.spread);
  view.node.setAttribute('aria-label', `${name} attention`);
  return view;
}

function paintView(view, share) {
  if (!view.now || !fitCanvas(view.canvas, view.image)) return;
  const target = raw ? view.now.blocks : view.now.smooth;
  view.drawn = view.from && share < 1 ? mix(view.from, target, share) : target;
  drawVeil(view.canvas, view.drawn, scaleTop(), raw);
}

const longest = () => Math.max(0, ...views.map(view => view.words.length));

// All views go to a word; one that has no more words stays at its last. The player goes with them.
function stepTo(next) {
  step = next;
  stepBegan = performance.now();
  for (const view of views) {
    const at = Math.min(step, view.words.length - 1);
    view.from = calm.matches || raw ? null : view.drawn;
    view.now = view.caption.maps[at];
    view.words.forEach((each, k) => each.classList.toggle('now', k === at));
    const cells = spreadOf(view.now);
    view.spread.textContent = `spread over ${cells < 9.95 ? cells.toFixed(1) : Math.round(cells)} cells`;
  }
  if (step !== word && step < caption().words.length) show(step);
  walk(stepBegan);
}

function walk(now) {
  cancelAnimationFrame(stepFrame);
  const passed = (now - stepBegan) * Number(find('.speed').value);
  views.forEach(view => paintView(view, passed / FADE_MS));
  if (passed < FADE_MS || (together && passed < FADE_MS + HOLD_MS)) stepFrame = requestAnimationFrame(walk);
  else if (together && step + 1 < longest()) stepTo(step + 1);
  else setTogether(false);
}

function setTogether(on) {
  together = on;
  const button = panel.querySelector('.together');
  if (button) button.textContent = on ? 'Pause' : 'Play together';
}

function drawViews(shown) {
  views = attentions.map((name, k) => makeView(name, shown[k]));
  sharedTop = Math.max(...shown.map(each => each.top));
  ways.replaceChildren(...views.map(view => view.node));
  ways.hidden = false;
  player.classList.add('comparing');
  drawLegend();
  const play = make('button', { className: 'primary together', onclick: () => {
    setPlaying(false);
    setTogether(!together);
    if (together) stepTo(step + 1 < longest() ? step : 0);
  } });
  const choices = attentions.map(name => {
    const button = make('button', { textContent: name });
    button.setAttribute('aria-pressed', name === item.attention);
    button.onclick = () => busy(button, panel.querySelector('.answer'), () => useAttention(name));
    return button;
  });
  panel.replaceChildren(
    make('p', { textContent: 'One photo, seen in different ways, word by word in step. All maps share one scale.' }),
    play,
    make('div', { className: 'row choose-attention' }, make('span', { textContent: 'For all photos use' }), ...choices),
    make('div', { className: 'answer' }));
  setTogether(together);
  stepTo(Math.min(word, longest() - 1));
}

const comparePanel = server && addPanel('Ways to attend', what => {
  const of = item, last = caption().words.length - 1;
  if (what === 'photo') return;   // its caption follows
  if (what === 'word') {
    const follows = word === step || (step > last && word === last);
    if (follows) walk(performance.now());
    else stepTo(word);
    return;
  }
  views = [];
  const mine = ++asked;
  if (!panel.hasChildNodes()) panel.append(make('p', { textContent: 'The network is looking\u2026' }));
  const latest = () => mine === asked && item === of && opened === comparePanel;
  Promise.all(attentions.map(name => name === of.attention ? null : attend(of, name)))   // null: as the player shows it
    .then(found => { if (latest()) drawViews(found.map(each => each ? unpack(each.captions[0]) : caption())); })
    .catch(error => { if (latest()) panel.replaceChildren(make('p', { className: 'error', textContent: error.message })); });
}, () => {
  cancelAnimationFrame(stepFrame);
  views = [];
  together = false;
  sharedTop = null;
  ways.hidden = true;
  player.classList.remove('comparing');
  if (item) drawLegend();
  repaint();
});
