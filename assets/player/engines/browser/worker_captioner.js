// The captioner in the worker, downloaded when it is first asked.

/** @import { Progress } from '../../types.d.ts' */
/** @import { Exported, ExportedFile, Parts, Questions } from './types.d.ts' */
import { WorkerClient } from './worker_client.js';

const MOST_THREADS = 4; // more win nothing

/** @typedef {{ client: WorkerClient, exported: Exported, kinds: Map<string, Promise<void>> }} Loaded */

/** Downloads the captioner, brings it into a worker, and asks it. */
export class WorkerCaptioner {
  #parts;
  /** @type {Set<Progress>} */
  #listeners = new Set();
  /** @type {Promise<Loaded> | null} */
  #loaded = null;

  /** @param {Parts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /**
   * @param {Progress} listener hears how much is here while it is downloaded
   * @param {AbortSignal} signal ends that
   */
  watchLoading(listener, signal) {
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => this.#listeners.delete(listener));
  }

  /**
   * Downloads it, unless it is here.
   * @returns {Promise<Loaded>}
   */
  ready() {
    this.#loaded ??= this.#start()
      .catch((error) => {
        this.#loaded = null;
        throw error;
      })
      .finally(() => this.#tell(null));
    return this.#loaded;
  }

  /**
   * Makes a kind of attention ready.
   *
   * @param {string} name '': the usual one
   * @returns {Promise<string>} its name
   */
  async kind(name) {
    const { client, exported, kinds } = await this.ready();
    const kind = name || Object.keys(exported.kinds)[0];
    const graphs = exported.kinds[kind];
    if (!graphs) throw new Error(`There is no attention \u201C${kind}\u201D here.`);
    const add = async () => {
      try {
        const [prepare, step] = await this.#read([graphs.prepare, graphs.step]);
        await client.ask('addDecoder', { kind, prepare, step }, [prepare, step]); // not in the queue: one in it may wait
      } finally {
        this.#tell(null);
      }
    };
    if (!kinds.has(kind)) kinds.set(kind, add());
    await kinds.get(kind)?.catch((error) => {
      kinds.delete(kind); // the next call tries again
      throw error;
    });
    return kind;
  }

  /**
   * @template {keyof Questions} Name
   * @param {Name} name
   * @param {Parameters<Questions[Name]>[0]} question
   * @param {Transferable[]} [transfer]
   */
  async ask(name, question, transfer) {
    if ('kind' in question) await this.kind(question.kind);
    const { client } = await this.ready();
    return client.ask(name, question, transfer);
  }

  /** Stops the worker and gives its memory back. */
  async close() {
    const loaded = this.#loaded;
    this.#loaded = null;
    (await loaded?.catch(() => null))?.client.end('This page no longer captions photos.');
  }

  /** @type {Progress} */
  #tell(progress) {
    for (const listener of this.#listeners) listener(progress);
  }

  /** @returns {Promise<Loaded>} */
  async #start() {
    const exported = await this.#parts.exported();
    const { script, binary, webgpu } = this.#parts.runtime;
    const [kind, graphs] = Object.entries(exported.kinds)[0];
    const wanted = [binary, exported.files.encoder, graphs.prepare, graphs.step];
    if (typeof script !== 'string') wanted.push(script);
    const [wasm, encoder, prepare, step, module] = await this.#read(wanted);
    const client = new WorkerClient(this.#parts.worker(), () => {
      this.#loaded = null;
    });
    const threads = self.crossOriginIsolated ? Math.min(MOST_THREADS, navigator.hardwareConcurrency || 1) : 1;
    const question = { script: module ?? script, binary: wasm, exported, threads, encoder, webgpu };
    await client.ask('start', question, [wasm, encoder]);
    const added = client.ask('addDecoder', { kind, prepare, step }, [prepare, step]);
    await added;
    return { client, exported, kinds: new Map([[kind, added]]) };
  }

  /**
   * Reads files at once, and tells how far they are.
   * @param {ExportedFile[]} files
   */
  #read(files) {
    const loaded = files.map(() => 0);
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    return Promise.all(
      files.map((file, at) =>
        this.#parts.read(file, (bytes) => {
          loaded[at] = bytes;
          this.#tell({ loaded: loaded.reduce((sum, each) => sum + each, 0), total });
        }),
      ),
    );
  }
}
