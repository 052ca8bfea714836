const REFUSED =
  'The browser may not use the camera; allow it in the browser\u2019s settings for this page and try again.';
const ABSENT = 'No camera was found; connect one and try again.';
const TAKEN = 'The camera does not start; close other programs that use it and try again.';
const INSECURE =
  'Browsers hand the camera only to secure pages; open this page with https:// or on the server\u2019s own machine.';
const UNPLUGGED = 'The camera is gone; connect it again and try again.';

/** @type {Record<string, string>} */
const SENTENCES = {
  NotAllowedError: REFUSED,
  SecurityError: REFUSED,
  NotFoundError: ABSENT,
  OverconstrainedError: ABSENT,
};

/**
 * Switches the camera on. Rejects with one sentence that can be shown.
 *
 * @param {number} width wished, in pixels
 * @returns {Promise<MediaStream>}
 */
export async function openCamera(width) {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(INSECURE);
  try {
    const video = { facingMode: 'environment', width: { ideal: width }, frameRate: { ideal: 30 } };
    return await navigator.mediaDevices.getUserMedia({ video });
  } catch (error) {
    throw new Error(SENTENCES[error instanceof Error ? error.name : ''] ?? TAKEN);
  }
}

/**
 * Switches the camera off: its light goes out.
 * @param {HTMLVideoElement} video that shows it
 */
export function closeCamera(video) {
  if (video.srcObject instanceof MediaStream) for (const track of video.srcObject.getTracks()) track.stop();
  video.srcObject = null;
}

/**
 * Calls when the camera goes away by itself.
 *
 * @param {MediaStream} stream
 * @param {(sentence: string) => void} gone
 */
export function watchCamera(stream, gone) {
  for (const track of stream.getTracks()) track.addEventListener('ended', () => gone(UNPLUGGED), { once: true });
}
