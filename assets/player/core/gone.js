/** What an engine rejects with when it no longer has a photo. */
export class Gone extends Error {
  constructor() {
    super('This photo is no longer on the server; please add it again.');
  }
}
