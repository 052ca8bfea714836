/** Something that cannot be done; the message is one plain sentence for the visitor. */
export class Refusal extends Error {}
