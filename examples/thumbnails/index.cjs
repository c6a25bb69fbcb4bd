'use strict';
// A folder of photographs becomes a folder of thumbnails, with sharp. Two factories in one module: the first draws the
// photographs, since we have none here, and the second makes the thumbnails. (A folder of your own as the argument
// takes the first one's place.)
//
//   node thumbnails/index.cjs [folder]      IMAGES=10 draws only ten; OUT=folder puts the results there

const fs = require('node:fs');
const path = require('node:path');
const sharp = require('sharp');
const ThreadFactory = require('threadfactory');

const images = Number(process.env.IMAGES ?? 60);
const out = process.env.OUT ?? path.join(__dirname, '../out/thumbnails');
const drawn = path.join(out, 'drawn');
const photographs = process.argv[2] ?? drawn;
const thumbnails = path.join(out, 'thumbnails');

// sharp runs every image on a thread for each core. With a worker for each core one thread is enough: more would only
// take turns on the same cores.
if (ThreadFactory.isWorker) sharp.concurrency(1);

const draw = new ThreadFactory({
  *manager() {
    for (let n = 0; n < images; n++) yield n;
  },
  workerProcess: async (n) => {
    const turn = (n * 360) / images;
    const drawing = `<svg xmlns="http://www.w3.org/2000/svg" width="3000" height="2000">
      <linearGradient id="sky" x2="0" y2="1"><stop stop-color="hsl(${turn}, 70%, 40%)"/>
      <stop offset="1" stop-color="hsl(${turn + 60}, 90%, 80%)"/></linearGradient>
      <rect width="3000" height="2000" fill="url(#sky)"/>
      <circle cx="${300 + (2400 * n) / images}" cy="600" r="250" fill="gold"/>
      <path d="M0 2000 L900 ${800 + 10 * (n % 50)} L1600 1700 L2300 1000 L3000 2000 Z" fill="#234"/></svg>`;
    await sharp(Buffer.from(drawing))
      .jpeg({ quality: 92 })
      .toFile(path.join(drawn, `${String(n).padStart(4, '0')}.jpg`));
  },
});

const shrink = new ThreadFactory({
  manager: () =>
    fs.readdirSync(photographs).filter((file) => /\.(avif|gif|jpe?g|png|tiff?|webp)$/i.test(file)),
  workerProcess: async (file) => {
    const target = path.join(thumbnails, `${path.parse(file).name}.webp`);
    const { width, height, size } = await sharp(path.join(photographs, file))
      .rotate() // as the camera was held
      .resize({ width: 320, height: 320, fit: 'inside' })
      .webp()
      .toFile(target);
    return { width, height, bytes: size };
  },
});

shrink.on('completed', ({ done, total, job, result }) => {
  console.log(`${done} of ${total}: ${job}, ${result.width} × ${result.height}, ${result.bytes} bytes`);
});

shrink.on('error', (error, failure) => {
  console.error(failure ? `${failure.job}: ${error.message}` : error); // a file that is no image after all
  process.exitCode = 1;
});

async function main() {
  fs.mkdirSync(thumbnails, { recursive: true });
  if (photographs === drawn) {
    fs.rmSync(drawn, { recursive: true, force: true });
    fs.mkdirSync(drawn);
    const { completed, duration } = await draw.start();
    console.log(`${completed} photographs drawn in ${(duration / 1000).toFixed(1)} s`);
  }
  const { completed, failed, duration } = await shrink.start();
  console.log(
    `${completed} thumbnails in ${thumbnails}, ${failed} failed, in ${(duration / 1000).toFixed(1)} s`,
  );
}

// Not in a worker, which loads this file to find workerProcess.
if (!ThreadFactory.isWorker) main();
