// Part 8: the cards, one a photo, and how far the captions are.

let items = [];            // { key, name, state: 'waiting' | 'done' | 'bad', error, preview, url, attention, captions, choice, steered, bring, card }
const cards = find('.cards'), progress = find('.progress');

const say = text => { find('.live').textContent = text; };   // to screen readers

function addItem(fields) {
  const added = { state: 'waiting', choice: 0, steered: [], ...fields };
  items.push(added);
  added.card = make('li');
  cards.append(added.card);
  drawCard(added);
  return added;
}

function finish(one, answer) {
  Object.assign(one, answer.error ? { state: 'bad', error: answer.error } : { state: 'done', key: answer.key, captions: answer.captions, preview: answer.preview ?? one.url });
  drawCard(one);
  // The caption first, then the next photos on their way, then the player.
  if (one.state === 'done' && !item) painted().then(painted).then(() => {
    if (item || !items.includes(one)) return;
    open(one);
    if (!running) sharpen();
  });
}

function drawCard(one) {
  const parts = [];
  const text = make('p', { textContent: { waiting: '', bad: `${one.name}: ${one.error}`, done: one.captions && textOf(one.captions[0]) }[one.state] });
  if (one.state === 'done') {
    const image = make('img', { src: one.preview, alt: '' });
    parts.push(make('button', { className: 'pick', onclick: () => pick(one) }, image, text));
  } else {
    parts.push(...one.state === 'waiting' ? [make('div', { className: 'blank' })] : [], text);
  }
  if (one.remove) {
    const button = make('button', { className: 'remove', textContent: '\u00D7', title: 'Remove', onclick: one.remove });
    button.setAttribute('aria-label', `Remove ${one.name}`);
    parts.push(button);
  }
  one.card.className = `card ${one.state}`;
  const focused = one.card.contains(document.activeElement) && document.activeElement.className;
  one.card.replaceChildren(...parts);
  if (focused) one.card.querySelector(`.${focused}`)?.focus();
}

// Gives the photo in the player its full picture. A large one takes the browser a moment: not while captions come.
async function sharpen() {
  const one = item;
  if (!one || one.url || !one.picture) return;
  try {
    one.url = await one.picture();
  } catch {
    return;                // the preview stays
  }
  if (item === one) photo.src = one.url;
  if (!items.includes(one)) forget(one);
}

function forget(one) {
  if (one.url?.startsWith('blob:')) URL.revokeObjectURL(one.url);
}

function pick(one) {
  open(one);
  sharpen();
  player.scrollIntoView({ block: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
  if (!calm.matches) togglePlaying();
}

function removeItem(one) {
  const at = items.indexOf(one);
  items.splice(at, 1);
  one.card.remove();
  forget(one);
  if (item === one) {
    openPanel(null);
    shut();
    const next = items.slice(at).concat(items.slice(0, at).reverse()).find(each => each.state === 'done');
    if (next) open(next);
    sharpen();
  }
}

listeners.push(what => {
  if (what === 'photo') items.forEach(each => each.card.setAttribute('aria-current', each === item));
});
