// Part 10: what the page begins with. `props.value` is { samples: [...], attentions: [...], kept_minutes } on the page, { items: [...] } offline.

const OUTCOMES = { right: 'right', partly: 'partly right', wrong: 'wrong' };

function drawSamples(samples) {
  find('.all').textContent = `Try all ${samples.length}`;
  find('.all').onclick = () => addSamples(samples);
  find('.strip').replaceChildren(...samples.map(sample => {
    const button = make('button', { className: 'sample', onclick: () => addSamples([sample]) },
      make('img', { src: sample.thumbnail.url, alt: sample.description, loading: 'lazy' }));
    return make('li', {}, button);
  }));
  const remarked = samples.filter(sample => sample.remark);
  find('.works').hidden = !remarked.length;
  find('.showcase').replaceChildren(...remarked.map(sample => {
    const open = make('button', { className: 'sample', onclick: () => { addSamples([sample]); find('.intake').scrollIntoView({ behavior: calm.matches ? 'auto' : 'smooth' }); } },
      make('img', { src: sample.thumbnail.url, alt: `Open: ${sample.description}`, loading: 'lazy' }));
    return make('li', { className: `case ${sample.outcome}` }, open, make('div', {},
      make('p', { className: 'outcome', textContent: OUTCOMES[sample.outcome] }),
      make('dl', {},
        make('dt', { textContent: 'A person says' }), make('dd', { textContent: sample.description }),
        make('dt', { textContent: 'The network says' }), make('dd', { textContent: sample.caption })),
      make('p', { className: 'remark', textContent: sample.remark })));
  }));
}

let started = false;
function start() {
  const value = props.value;
  if (started || !value) return;
  started = true;
  if (server) {
    drawSamples(value.samples);
    attentions = value.attentions;
    attention = attentions[0];
    comparePanel.button.hidden = attentions.length < 2;
    find('.privacy').textContent = `Your photos are shown to nobody else, and leave the server after ${value.kept_minutes} minutes, as do files that you save of them.`;
    return;
  }
  root.classList.add('offline');
  for (const { image, ...fields } of value.items) finish(addItem({ name: fields.name, url: image.url }), fields);
}

watch('value', start);
start();
