// Elements are made here, with properties: texts of others (captions, file names) only ever become textContent.

/**
 * Looks for an element in the player. Throws where there is none, or one of another kind.
 * @typedef {<T extends Element = HTMLElement>(selector: string, kind?: new () => T) => T} Find
 */

/**
 * @param {ParentNode} root
 * @returns {Find}
 */
export const finder = (root) => (selector, kind) => {
  const found = root.querySelector(selector);
  if (!(found instanceof (kind ?? HTMLElement))) throw new Error(`The player has no ${selector}.`);
  return /** @type {any} */ (found);
};

/**
 * An element with properties and children: make('button', { className: 'x', textContent: 'y', onclick }, child, ...).
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  if (node instanceof HTMLButtonElement) node.type = 'button';
  node.append(...children);
  return node;
}

/**
 * @param {Element} node
 * @param {string} name
 * @param {boolean | null} value null takes it away
 */
export function setState(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, String(value));
}

/** Resolves when what was changed is on the screen. */
export const painted = () =>
  new Promise((done) => {
    requestAnimationFrame(() => setTimeout(done));
  });

/** Whether the visitor prefers that nothing moves. */
export const calm = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

/**
 * Scrolls only as far as it must.
 * @param {Element} node
 * @param {ScrollLogicalPosition} block
 */
export const reveal = (node, block = 'nearest') => {
  node.scrollIntoView({ block, behavior: calm() ? 'auto' : 'smooth' });
};

/**
 * Runs what a button starts: the button waits, and an error is told where the result would stand.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} place
 * @param {() => Promise<void>} work
 */
export async function busy(button, place, work) {
  button.disabled = true;
  place.classList.add('busy');
  try {
    await work();
  } catch (error) {
    place.replaceChildren(complaint(error));
  } finally {
    button.disabled = false;
    place.classList.remove('busy');
    reveal(place);
  }
}

/** @param {unknown} error */
export const complaint = (error) =>
  make('p', {
    className: 'error',
    textContent: (error instanceof Error && error.message) || 'The server did not answer.',
  });
