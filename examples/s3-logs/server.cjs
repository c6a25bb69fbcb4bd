'use strict';
// A local S3 server in a process of its own: `fork(server.cjs, [bucket])`. It sends its port when it listens, and ends
// with the process that forked it.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const S3rver = require('s3rver');

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'threadfactory-s3-'));

process.on('SIGINT', () => {}); // Ctrl-C reaches this process too; it ends on `disconnect` and not before
process.on('disconnect', () => {
  fs.rmSync(directory, { recursive: true, force: true });
  process.exit();
});

new S3rver({
  directory,
  address: '127.0.0.1',
  port: 0,
  silent: true,
  configureBuckets: [{ name: process.argv[2] }],
})
  .run()
  .then(({ port }) => process.send({ port }));
