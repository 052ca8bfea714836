/** Something that cannot be done; the message is one plain sentence for the visitor. */
export class Refusal extends Error {}

export const GONE = 'This photo is no longer here; please add it again.';
