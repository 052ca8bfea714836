// Part 7: take it home. Files of this photo, or of all of them.

const FILES = [
  ['png', 'Sheet', 'one panel a word, PNG'], ['gif', 'GIF', 'the attention, animated'],
  ['mp4', 'Video', 'MP4 for slides'], ['json', 'JSON', 'every number'], ['csv', 'Table', 'CSV, a line a word'],
];
const BATCH = [['html', 'One page', 'HTML, plays offline'], ['zip', 'Everything', 'one ZIP']];

const wait = ms => new Promise(resolve => setTimeout(resolve, ms));

// The server makes the file in the background; this asks how far it is.
async function makeFile(kind, of, told) {
  for (const each of of) if (each.bring && (await server.known({ key: each.key })).gone) await each.bring();
  const photos = of.map(each => ({
    key: each.key, name: each.name, words: each.steered.length ? each.steered.at(-1).words.map(one => one.text) : null,
  }));
  let state = await server.make_file({ kind, photos });
  const { job } = state;
  while (!state.url && !state.error && !state.gone) {
    if (of.length > 1) told.textContent = `${state.done ?? 0} of ${of.length} photos\u2026`;
    await wait(300);
    state = await server.file_state({ job });
  }
  return state;
}

async function download(kind, of, place) {
  const told = make('p', { textContent: 'Making the file\u2026' });
  place.replaceChildren(told);
  let state = await makeFile(kind, of, told);
  if (state.gone) state = await makeFile(kind, of, told);   // a photo's time was over meanwhile: it is brought again
  if (state.gone) throw new Error(GONE);
  if (state.error) throw new Error(state.error);
  const link = make('a', { href: state.url, download: state.name, textContent: state.name, className: 'file' });
  place.replaceChildren(make('p', {}, 'Saved as ', link, '.'));
  say(`${state.name} is ready.`);
  link.click();
}

if (server) addPanel('Save', what => {
  if (what === 'word' || (what === 'caption' && panel.hasChildNodes())) return;   // what it says of a file stays
  const answer = make('div', { className: 'answer' });
  const group = (title, kinds, photos) => make('div', { className: 'kinds' }, make('h3', { textContent: title }),
    make('div', { className: 'row' }, ...kinds.map(([kind, label, note]) => {
      const button = make('button', { className: `save-${kind}`, title: note }, label, make('small', { textContent: note }));
      button.onclick = () => busy(button, answer, () => download(kind, photos(), answer));
      return button;
    })));
  const done = () => items.filter(each => each.state === 'done');
  panel.replaceChildren(group('This photo', FILES, () => [item]), group('All photos here', BATCH, done), answer);
});
