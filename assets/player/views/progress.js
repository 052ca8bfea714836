/** @import { App } from '../types.d.ts' */

/**
 * How far the captions are and what was left out; stops them, and clears all photos away.
 * @param {App} app
 */
export function mountProgress({ root, find, store, captioning, signal }) {
  const progress = find('.progress');
  const bar = find('.progress progress', HTMLProgressElement);
  const stop = find('.stop');
  const clear = find('.clear');
  const count = find('.count');
  const note = find('.note');

  function draw() {
    const { items, state } = store;
    const done = items.filter((each) => each.state !== 'waiting').length;
    const more = done < items.length;
    progress.hidden = !items.length && !state.note;
    note.textContent = state.note;
    note.hidden = !state.note;
    clear.hidden = count.hidden = !items.length;
    bar.max = items.length || 1;
    bar.value = done;
    bar.hidden = stop.hidden = !more;
    count.textContent = more
      ? `${done} of ${items.length}${state.stopped ? ', stopped' : ''}`
      : `${items.length} photo${items.length === 1 ? '' : 's'}`;
    stop.textContent = state.stopped ? 'Go on' : 'Stop';
    root.classList.toggle('filled', items.length > 0);
  }

  store.subscribeToItems(draw, signal);
  store.subscribe((changed) => {
    if (changed.has('stopped') || changed.has('note')) draw();
  }, signal);
  stop.addEventListener('click', () => captioning.toggle(), { signal });
  clear.addEventListener(
    'click',
    () => {
      captioning.clear();
      find('.choose').focus();
    },
    { signal },
  );
}
