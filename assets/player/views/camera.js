/** @import { App } from '../types.d.ts' */
import { make } from '../core/dom.js';
import { toJpeg } from '../core/drawing/picture.js';
import { closeCamera, openCamera } from '../core/live/webcam.js';

/**
 * Photos are taken: with the camera in the page, or with the phone's own where the page may not use it.
 * @param {App} app
 */
export function mountCamera({ find, captioning, signal }) {
  const studio = find('.studio', HTMLDialogElement);
  const video = find('.studio video', HTMLVideoElement);

  async function open() {
    try {
      video.srcObject = await openCamera(1920);
      studio.showModal();
    } catch {
      find('.shot').click();
    }
  }

  async function snap() {
    const picture = make('canvas', { width: video.videoWidth, height: video.videoHeight });
    picture.getContext('2d')?.drawImage(video, 0, 0);
    const blob = await toJpeg(picture, 0.92).catch(() => null);
    studio.close();
    if (blob) captioning.addFiles([new File([blob], 'camera.jpg', { type: 'image/jpeg' })]);
  }

  const switchOff = () => closeCamera(video);

  find('.camera').addEventListener('click', open, { signal });
  find('.snap').addEventListener('click', snap, { signal });
  find('.leave').addEventListener('click', () => studio.close(), { signal });
  studio.addEventListener('close', switchOff, { signal });
  signal.addEventListener('abort', switchOff);
}
