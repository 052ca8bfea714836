// The page that captions without a server: its files come from any web server (capmodel/browser/site.py).

import { ServedParts } from '../engines/browser/served_parts.js';
import { BrowserEngine } from '../engines/browser.js';
import { mount } from '../main.js';

const { value, captioner, worker } = JSON.parse(document.getElementById('data')?.textContent ?? '');
const scope = new URL('.', document.baseURI).href;
// service_worker.js knows the name, too.
const parts = new ServedParts({ ...captioner, cache: `capmodel ${scope} captioner ${captioner.version}` });
mount(/** @type {HTMLElement} */ (document.getElementById('player')), { value }, new BrowserEngine(parts));

// It lets the page open without a network from now on; the captioner itself is kept by ServedParts. Pages that do not come
// over HTTPS or from this computer have none.
addEventListener('load', () => navigator.serviceWorker?.register(worker).catch(() => {}));
