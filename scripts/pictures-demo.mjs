// The run in the pictures of the README: it only waits, for times as uneven as real ones, and fails here and there.

import { setTimeout as sleep } from 'node:timers/promises';

const PHOTOS = 300;

const nameOf = (index) => `photos/${1 + (index % 11)}/img_${String(index).padStart(4, '0')}.jpg`;

export const manager = () => Array.from({ length: PHOTOS }, (_, index) => nameOf(index));

export const workerProcess = async (photo, { index, attempt }) => {
  // Between a tenth of a second and two, most of them short.
  const uneven = ((index * 7919) % 101) / 100;
  await sleep(100 + 1900 * uneven ** 6);
  if (index === 220 && attempt === 1) process.kill(process.pid, 'SIGKILL');
  if (index === 96 || index === 204) throw new TypeError('not an image');
  if (index % 61 === 60 && attempt === 1)
    throw Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  return photo.replace('photos', 'small');
};
