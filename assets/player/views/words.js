// Part 3: the words. Which one is shown, how sure the model was, what else it might have written.

const words = find('.words');
const END_WORD = '.';      // as in capmodel/decoding/alternatives.py: "the caption ends here"

function drawWords() {
  words.replaceChildren(...caption().words.map((each, k) => {
    const button = make('button', { textContent: each.text, title: `${percent(each.probability)} probable` });
    button.style.setProperty('--sure', each.probability);
    button.onpointerenter = event => { if (event.pointerType === 'mouse' && !covered && !press) { setPlaying(false); show(k); } };
    button.onclick = () => { setPlaying(false); show(k); };
    return button;
  }));
}

function markWord() {
  [...words.children].forEach((button, k) => {
    button.setAttribute('aria-pressed', k === word);
    button.tabIndex = k === word ? 0 : -1;
  });
  const about = find('.about'), { text, probability } = caption().words[word];
  about.replaceChildren(make('b', { textContent: text }));
  about.append(covered ? '' : ` \u2014 ${percent(probability)} probable after the words before it; strongest cell ${times(map().peak)}`);
}

listeners.push(what => {
  if (what === 'caption') drawWords();
  if (what === 'word') markWord();
});

words.onkeydown = event => {
  const move = { ArrowRight: word + 1, ArrowLeft: word - 1, Home: 0, End: -1 }[event.key];
  if (move === undefined) return;
  event.preventDefault();
  setPlaying(false);
  show(move, true);
};

// Point at a place in the photo: the words that looked there light up.
function light(cell) {
  [...words.children].forEach((button, k) => {
    const value = cell === null ? 0 : caption().maps[k].cells[cell];
    button.classList.toggle('lit', value >= 1.5);
    button.style.setProperty('--lit', Math.min(1, value / caption().top));
  });
}

find('.frame').addEventListener('pointermove', event => item && !covered && light(cellAt(event)));
find('.frame').addEventListener('pointerdown', event => item && !covered && light(cellAt(event)));
find('.frame').addEventListener('pointerleave', () => item && light(null));
overlay.addEventListener('focusin', event => item && !covered && light(cellButtons.indexOf(event.target)));
overlay.addEventListener('focusout', () => item && light(null));

// ---- panels: what opens below the caption, one at a time ----

const panel = find('.panel'), tools = find('.tools');
let panels = [];           // { name, draw, close }
let opened = null;

function addPanel(name, draw, close = () => {}) {
  const button = make('button', { textContent: name });
  const entry = { name, draw, close, button };
  button.setAttribute('aria-expanded', false);
  button.onclick = () => openPanel(opened === entry ? null : entry);
  panels.push(entry);
  tools.append(button);
  return entry;
}

function openPanel(entry) {
  const before = opened;
  opened = entry;
  before?.close();
  panels.forEach(each => each.button.setAttribute('aria-expanded', each === entry));
  panel.hidden = !entry;
  panel.replaceChildren();
  panel.setAttribute('aria-label', entry?.name ?? '');
  entry?.draw('caption');
}

listeners.push(what => {
  if (!opened) return;
  const controls = () => [...panel.querySelectorAll('button')], at = controls().indexOf(document.activeElement);
  opened.draw(what);
  if (at >= 0 && !panel.contains(document.activeElement)) (controls()[at] ?? controls().at(-1))?.focus();   // drawn anew
});

const GONE = 'This photo is no longer on the server; please add it again.';

// A question to the server. A photo that has left it in the meantime is brought again, once.
async function ask(name, question, of = item) {
  let answer = await server[name]({ ...question, key: of.key });
  if (answer.gone && of.bring) {
    await of.bring();
    answer = await server[name]({ ...question, key: of.key });
  }
  if (answer.gone) throw new Error(GONE);
  if (answer.error) throw new Error(answer.error);
  return answer;
}

// Runs what a button starts: the button waits, and an error is told where the result would stand.
async function busy(button, place, work) {
  button.disabled = true;
  place.classList.add('busy');
  try {
    await work();
  } catch (error) {
    place.replaceChildren(make('p', { className: 'error', textContent: error.message || 'The server did not answer.' }));
  } finally {
    button.disabled = false;
    place.classList.remove('busy');
    place.scrollIntoView({ block: 'nearest', behavior: calm.matches ? 'auto' : 'smooth' });
  }
}

// ---- other words: steer the caption from here ----

async function steer(alternative, button) {
  const of = item, index = word, before = caption().words.slice(0, index).map(each => each.text);
  await busy(button, panel.querySelector('.answer'), async () => {
    const steered = await ask('steer', { words: [...before, alternative] }, of);
    of.steered.push(steered);
    if (item !== of) return;
    useCaption(index);
    say(`The caption is now: ${textOf(steered)}`);
  });
}

function undo() {
  item.steered.pop();
  useCaption(word);
}

const rank = (text, probability) => [make('span', { textContent: text }), make('small', { textContent: percent(probability) })];

addPanel('Other words', () => {
  const { text, probability, alternatives } = caption().words[word];
  const own = make('li', { className: 'own' }, ...rank(text, probability));
  const others = alternatives.filter(([other]) => word || other !== END_WORD).map(([other, chance]) => {
    const label = other === END_WORD ? 'end here' : other;
    if (!server) return make('li', {}, make('span', { className: 'chip' }, ...rank(label, chance)));
    const button = make('button', { className: 'chip', onclick: () => steer(other, button) }, ...rank(label, chance));
    button.setAttribute('aria-label', `${label}, ${percent(chance)}: write the rest anew from here`);
    return make('li', {}, button);
  });
  const list = make('ul', { className: 'chips' }, own, ...others);
  const hint = server ? 'Choose one, and the rest of the caption is written anew from there.' : 'What it might have written instead.';
  panel.replaceChildren(make('p', { textContent: hint }), list, make('div', { className: 'answer row' }));
  if (item.steered.length) {
    panel.querySelector('.answer').append(
      make('span', { textContent: `Your caption. The model's own: \u201C${textOf(item.captions[item.choice])}\u201D` }),
      make('button', { className: 'undo', textContent: 'Undo', onclick: undo }));
  }
});

// ---- other captions: the best ones of the beam, each with its own maps ----

function drawChoices() {
  const list = make('ol', { className: 'choices' }, ...item.captions.map((each, k) => {
    const button = make('button', { textContent: textOf(each) });
    button.setAttribute('aria-pressed', !item.steered.length && k === item.choice);
    button.onclick = () => {
      item.choice = k;
      item.steered = [];
      useCaption();
    };
    return make('li', {}, button);
  }));
  panel.replaceChildren(make('p', { textContent: `The ${item.captions.length} best captions of the search, the most probable first.` }), list);
}

const choicesPanel = addPanel('Other captions', what => {
  const of = item;
  if (what === 'photo' || (what === 'word' && panel.hasChildNodes())) return;
  if (of.captions.length > 1 || !server) drawChoices();
  else busy(choicesPanel.button, panel, async () => {   // the page got only the best one, to have it sooner
    of.captions = (await ask('candidates', {}, of)).captions;
    if (item === of && opened === choicesPanel) useCaption(word);
  });
});
