// Part 5: a game for the class. Where would you look for this word? Then see where the network did.

// Words that stand for nothing one could point at.
const FUNCTION_WORDS = new Set(('a an the and or of in on at by to from with for into onto over through near is are was be been being '
  + 'his her its their it he she they that this there as while who which up down out off').split(' '));

let guess = null;          // the cell that was tapped
let scores = [];           // of this caption's words so far, in times uniform

const playable = () => caption().words.map((each, k) => k).filter(k => !FUNCTION_WORDS.has(caption().words[k].text));

function cover(on) {
  covered = on;
  player.classList.toggle('covered', on);
  drawCells();
  markWord();
  repaint();
}

function pressGame(cell, first) {
  if (!first || guess !== null) return;
  guess = cell;
  scores.push(map().cells[cell]);
  cellButtons[cell].classList.add('guess');
  press = null;
  cover(false);
  const left = playable().filter(k => k > word), own = map().cells[cell];
  const text = `You tapped ${times(own)} of an even share. Its strongest cell has ${times(map().peak)}.`;
  panel.replaceChildren(make('p', { className: 'score', textContent: text }));
  say(text);
  if (left.length) {
    const next = make('button', { className: 'primary', textContent: 'Next word', onclick: () => ready(left[0]) });
    panel.append(next);
    next.focus();
  } else {
    const mean = scores.reduce((sum, value) => sum + value, 0) / scores.length;
    panel.append(make('p', { textContent: `Over ${scores.length} words you met ${times(mean)} on average. Tapping at random gives 1.0\u00D7.` }),
      make('button', { className: 'primary', textContent: 'Again', onclick: startGame }));
  }
}

function ready(next) {
  clearGuess();
  press = pressGame;
  covered = true;
  show(next);
  cover(true);
  panel.replaceChildren(make('p', { className: 'question' }, 'Where would you look to write ',
    make('b', { textContent: caption().words[word].text }), '? Tap the photo.'));
}

function clearGuess() {
  guess = null;
  cellButtons.forEach(button => button.classList.remove('guess'));
}

function startGame() {
  scores = [];
  setPlaying(false);
  const all = playable();
  ready(all.length ? all[0] : 0);
}

let gameOf = null;         // the caption that the game is about
addPanel('Guess where', what => {
  if (what === 'photo' || (what === 'word' && gameOf === caption())) return;
  gameOf = caption();
  startGame();
}, () => {
  gameOf = null;
  clearGuess();
  press = null;
  cover(false);
});
