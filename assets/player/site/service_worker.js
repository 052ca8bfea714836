// Lets the page without a server open without a network. capmodel/browser/site.py writes `self.site` before this.
//
// Every file but the page itself has a version in its address, so what is kept of them is never old. The captioner is kept by
// the page, in the cache that served.js names; here it is only taken away when it is old.

/** @typedef {{ version: string, captioner: string, files: string[] }} Site versions, and addresses relative to the page */
/** @typedef {Event & { waitUntil(work: Promise<unknown>): void }} Lasting */
/** @typedef {Lasting & { request: Request, respondWith(answer: Promise<Response>): void }} Asking */

const worker = /** @type {any} */ (self);
/** @type {Site} */
const { version, captioner, files } = worker.site;
/** @type {string} */
const scope = worker.registration.scope;
const OWN = `capmodel ${scope} `;
const PAGE = `${OWN}page ${version}`;
const KEPT = [PAGE, `${OWN}captioner ${captioner}`];
const addresses = new Set(files.map((file) => new URL(file, scope).href));

async function install() {
  // The page itself has no version in its address: an older one may be in the browser's other cache.
  const requests = [...addresses].map((url) => new Request(url, { cache: url === scope ? 'no-cache' : 'default' }));
  await (await caches.open(PAGE)).addAll(requests);
  await worker.skipWaiting();
}

async function activate() {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(OWN) && !KEPT.includes(name)).map((name) => caches.delete(name)),
  );
  await worker.clients.claim();
}

/** @param {Request} request */
async function answer(request) {
  const cache = await caches.open(PAGE);
  if (request.mode !== 'navigate') return (await cache.match(request)) ?? fetch(request);
  try {
    return await fetch(request); // the newest page, where there is a network
  } catch (error) {
    const kept = await cache.match(scope);
    // Some servers lead from the folder to its page; browsers do not open a page by such an answer.
    if (kept) return kept.redirected ? new Response(kept.body, { headers: kept.headers }) : kept;
    throw error;
  }
}

worker.addEventListener('install', (/** @type {Lasting} */ event) => event.waitUntil(install()));
worker.addEventListener('activate', (/** @type {Lasting} */ event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (/** @type {Asking} */ event) => {
  const { method, mode, url } = event.request;
  if (method === 'GET' && (mode === 'navigate' || addresses.has(url))) event.respondWith(answer(event.request));
});
