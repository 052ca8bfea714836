// The page that captions without a server, as one file (capmodel/browser/single.py).

import { EmbeddedParts } from '../engines/browser/embedded_parts.js';
import { BrowserEngine } from '../engines/browser.js';
import { mount } from '../main.js';

const { value, captioner } = JSON.parse(document.getElementById('data')?.textContent ?? '');
const engine = new BrowserEngine(new EmbeddedParts(captioner));
mount(/** @type {HTMLElement} */ (document.getElementById('player')), { value }, engine);
