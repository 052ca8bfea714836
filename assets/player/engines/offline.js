/** @import { Engine } from '../types.d.ts' */

const refuse = async () => {
  throw new Error('This page works without the network, which cannot be asked any more.');
};

/**
 * For the page that plays offline: nothing can be asked.
 * @type {Engine}
 */
export const OFFLINE = {
  can: () => false,
  caption: refuse,
  attend: refuse,
  steer: refuse,
  occlude: refuse,
  candidates: refuse,
  alternatives: refuse,
  evidence: refuse,
  picture: refuse,
  save: refuse,
};
