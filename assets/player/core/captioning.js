// Part 9: photos come in: dropped, chosen, pasted, taken, or from the examples. Only on the page, not offline.

const LARGEST = 100e6;     // bytes a file
const SHOWN_SIDE = 1600;   // longer side of the picture that the page keeps of a photo, in pixels
const AT_ONCE = 6;         // photos on their way, as many as browsers send at once; some are captioned together
const PHOTO_NAME = /\.(jpe?g|jpe|png|webp|gif|bmp|tiff?|hei[cf]|avif|ppm|pgm|jp2)$/i;

let queue = [], running = 0, stopped = false;
let answered = false;      // of these photos one: the first photo goes alone, so that it is there soonest

// Sends a photo as it is; the answer is its caption.
const send = async (file, one) => (await fetch(`photo?attention=${one.attention}`, { method: 'POST', body: file })).json();

function addPhotos(files) {
  answered = running > 0;
  for (const file of files) {
    const one = addItem({ name: file.name || 'pasted photo', remove: () => dropItem(one) });
    one.bring = () => send(file, one);
    one.picture = () => pictureOf(file, one);
    if (file.size > LARGEST) finish(one, { error: 'This file is larger than 100 MB; please make it smaller.' });
    else if (!file.type.startsWith('image/') && !PHOTO_NAME.test(file.name)) finish(one, { error: 'This file is not a photo.' });
    else queue.push(one);
  }
  stopped = false;
  pump();
}

function addSamples(samples) {
  answered = running > 0;
  for (const sample of samples) {
    const present = items.find(each => each.sample === sample.file);
    if (present) {
      if (samples.length === 1 && present.state === 'done') pick(present);
      continue;
    }
    const one = addItem({ name: sample.file, sample: sample.file, remove: () => dropItem(one) });
    one.bring = () => server.sample({ file: sample.file, attention: one.attention });
    one.picture = async () => sample.image.url;
    queue.push(one);
  }
  stopped = false;
  pump();
}

// Starts what may start.
function pump() {
  while (!stopped && running < (answered ? AT_ONCE : 1) && queue.length) {
    running += 1;
    caption_one(queue.shift()).finally(async () => {
      if (!answered) await painted();
      answered = true;
      running -= 1;
      pump();
    });
  }
  drawProgress();
  if (!running) sharpen();
}

async function caption_one(one) {
  let answer;
  one.attention = attention;
  try {
    answer = await one.bring();
  } catch {
    answer = { error: 'The server did not answer; please try again.' };
  }
  if (!items.includes(one)) return;
  const twin = answer.key && items.find(each => each !== one && each.key === answer.key);
  if (twin) {
    removeItem(one);
    say(`${one.name} is here already.`);
    return;
  }
  finish(one, answer);
  if (one.state === 'done' && one.attention !== attention) await turn(one);   // another was chosen while it was on its way
  const done = items.filter(each => each.state !== 'waiting').length;
  say(`${done} of ${items.length}: ${one.state === 'done' ? textOf(one.captions[0]) : `${one.name}: ${one.error}`}`);
}

// The photo as the page shows it: made here, from the visitor's own file, if the browser can read it.
async function pictureOf(file, one) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
    const scale = Math.min(1, SHOWN_SIDE / Math.max(bitmap.width, bitmap.height));
    const picture = make('canvas', { width: Math.round(bitmap.width * scale), height: Math.round(bitmap.height * scale) });
    const context = picture.getContext('2d');
    context.fillStyle = '#fff';   // what is transparent is captioned on white
    context.fillRect(0, 0, picture.width, picture.height);
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, 0, 0, picture.width, picture.height);
    bitmap.close();
    return URL.createObjectURL(await new Promise(resolve => picture.toBlob(resolve, 'image/jpeg', 0.9)));
  } catch {                // HEIC, TIFF and the like
    return (await ask('picture', {}, one)).url;
  }
}

function dropItem(one) {
  queue = queue.filter(each => each !== one);
  const next = one.card.nextElementSibling ?? one.card.previousElementSibling;
  removeItem(one);
  (next?.querySelector('.pick, .remove') ?? find('.choose')).focus();
  say(`${one.name} is removed.`);
  drawProgress();
}

function clearAll() {
  queue = [];
  [...items].forEach(removeItem);
  say('All photos are removed.');
  find('.choose').focus();
  drawProgress();
}

function drawProgress() {
  const done = items.filter(each => each.state !== 'waiting').length, more = done < items.length;
  progress.hidden = !items.length;
  Object.assign(progress.querySelector('progress'), { max: items.length || 1, value: done, hidden: !more });
  find('.count').textContent = more ? `${done} of ${items.length}${stopped ? ', stopped' : ''}` : `${items.length} photo${items.length === 1 ? '' : 's'}`;
  find('.stop').hidden = !more;
  find('.stop').textContent = stopped ? 'Go on' : 'Stop';
  root.classList.toggle('filled', items.length > 0);
}

find('.stop').onclick = () => {
  stopped = !stopped;
  pump();
  say(stopped ? 'Stopped.' : 'Going on.');
};
find('.clear').onclick = clearAll;

// ---- chosen, dropped, pasted ----

for (const input of element.querySelectorAll('.files, .shot'))
  input.onchange = () => {
    addPhotos([...input.files]);
    input.value = '';      // the same photo may be chosen again
  };
find('.choose').onclick = () => find('.files').click();

if (server) {
  const carriesFiles = event => [...event.dataTransfer?.types ?? []].includes('Files');
  document.addEventListener('paste', event => { if (event.clipboardData?.files.length) addPhotos([...event.clipboardData.files]); });
  document.addEventListener('dragover', event => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    root.classList.add('dropping');
  });
  document.addEventListener('dragleave', event => { if (!event.relatedTarget) root.classList.remove('dropping'); });
  document.addEventListener('drop', event => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    root.classList.remove('dropping');
    addPhotos([...event.dataTransfer.files]);
  });
}

// ---- taken: the camera in the page, or the phone's own where the page may not use it ----

const studio = find('.studio'), video = find('.studio video');

find('.camera').onclick = async () => {
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment', width: { ideal: 1920 } } });
    studio.showModal();
  } catch {
    find('.shot').click();
  }
};
find('.snap').onclick = async () => {
  const picture = make('canvas', { width: video.videoWidth, height: video.videoHeight });
  picture.getContext('2d').drawImage(video, 0, 0);
  const blob = await new Promise(resolve => picture.toBlob(resolve, 'image/jpeg', 0.92));
  studio.close();
  if (blob) addPhotos([new File([blob], 'camera.jpg', { type: 'image/jpeg' })]);
};
find('.leave').onclick = () => studio.close();
studio.onclose = () => {
  video.srcObject?.getTracks().forEach(track => track.stop());
  video.srcObject = null;
};
