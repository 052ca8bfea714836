// Part 4: "Did it really look there?" Hide cells of the photo and ask again.

let chosen = new Set();    // cells to hide
let adding = true;         // whether a drag chooses or frees cells

// The fewest cells that hold half of a word's attention, but no more than a quarter of the photo.
function attended(cells) {
  const order = [...cells.keys()].sort((a, b) => cells[b] - cells[a]), picked = new Set();
  let sum = 0;
  for (const cell of order) {
    if (sum >= CELLS / 2 || picked.size >= CELLS / 4) break;
    picked.add(cell);
    sum += cells[cell];
  }
  return picked;
}

function markChosen() {
  cellButtons.forEach((button, cell) => {
    button.classList.toggle('chosen', chosen.has(cell));
    if (press) button.setAttribute('aria-pressed', chosen.has(cell));
    else button.removeAttribute('aria-pressed');
  });
  const button = panel.querySelector('.hide');
  if (button) {
    button.textContent = `Hide ${chosen.size} cell${chosen.size === 1 ? '' : 's'} and ask again`;
    button.disabled = !chosen.size || chosen.size === CELLS;
  }
}

function verdict({ before, after, blind, elsewhere }) {
  const other = elsewhere.reduce((sum, value) => sum + value, 0) / elsewhere.length;
  if (after > before * 1.25) return 'Hiding these cells made the word more probable: they spoke against it.';
  if (after < before / 2 && after < other * 0.7) return 'Hiding these cells hurt the word far more than hiding others: what it saw here mattered.';
  if (blind > before * 0.7) return 'Even a decoder that sees no places would have written it: the words before it, and the photo as a whole, are enough.';
  if (after < before / 2) return 'The word suffers, but as much when other cells are hidden: it hangs on the whole photo, not on this place.';
  return 'Hiding these cells changed little: the network knows it from elsewhere. Every cell has seen its surroundings too.';
}

function drawAnswer(place, answer, cells) {
  const other = answer.elsewhere.reduce((sum, value) => sum + value, 0) / answer.elsewhere.length;
  const span = `${percent(Math.min(...answer.elsewhere))} to ${percent(Math.max(...answer.elsewhere))}`;
  const rows = [
    ['the whole photo', answer.before, ''],
    [`these ${cells} cells hidden`, answer.after, 'now'],
    [`${cells} random others hidden`, other, '', `mean of ${answer.elsewhere.length}, ${span}`],
    ['blind: only the average of all cells', answer.blind, ''],
  ].map(([label, value, style, note]) => {
    const bar = make('span', { className: `measure ${style}` });
    bar.style.setProperty('--value', value);
    return make('tr', {}, make('th', { textContent: label, scope: 'row' }), make('td', {}, bar),
      make('td', { textContent: percent(value), title: note ?? '' }));
  });
  const captions = make('dl', {},
    make('dt', { textContent: 'whole photo' }), make('dd', { textContent: textOf(caption()) }),
    make('dt', { textContent: 'cells hidden' }), make('dd', { className: 'after', textContent: textOf(answer.caption) }));
  place.replaceChildren(
    make('p', { className: 'verdict', textContent: verdict(answer) }),
    make('table', {}, make('caption', { textContent: `Probability of \u201C${caption().words[word].text}\u201D after the words before it` }), make('tbody', {}, ...rows)),
    captions);
  say(`${verdict(answer)} The caption is then: ${textOf(answer.caption)}`);
}

function pressProbe(cell, first) {
  if (first) adding = !chosen.has(cell);
  chosen[adding ? 'add' : 'delete'](cell);
  markChosen();
}

const probePanel = server && addPanel('Did it really look there?', what => {
  if (what === 'photo') return;
  setPlaying(false);
  press = pressProbe;
  chosen = attended(map().cells);
  drawCells();
  const answer = make('div', { className: 'answer' });
  const hide = make('button', { className: 'hide primary' });
  hide.onclick = () => busy(hide, answer, async () => {
    const of = item, at = word, cells = [...chosen];
    const result = await ask('occlude', { words: caption().words.map(each => each.text), index: at, cells }, of);
    if (item === of && word === at && opened === probePanel) drawAnswer(answer, result, cells.length);
  });
  panel.replaceChildren(
    make('p', { textContent: `For \u201C${caption().words[word].text}\u201D the striped cells hold about half of the attention. Hide them, or drag over the photo to choose others; choose another word above.` }),
    hide, answer);
  markChosen();
}, () => {
  press = null;
  chosen.clear();
  markChosen();
  drawCells();
});
