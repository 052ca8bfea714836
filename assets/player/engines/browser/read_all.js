/**
 * The content of a stream whose length is known.
 *
 * @param {ReadableStream<Uint8Array> | null} stream
 * @param {number} size bytes
 * @param {(bytes: number) => void} progress is told how many are here
 * @returns {Promise<ArrayBuffer>}
 */
export async function readAll(stream, size, progress) {
  const all = new Uint8Array(size);
  const reader = stream?.getReader();
  let at = 0;
  for (;;) {
    const { done = true, value } = (await reader?.read()) ?? {};
    if (done || !value) break;
    all.set(value, at); // throws if there are more than expected
    at += value.length;
    progress(at);
  }
  if (at !== size) throw new Error(`${at} bytes instead of ${size}`);
  return all.buffer;
}
