'use strict';
const path = require('node:path');

/** worker-farm: child processes, callbacks. */
exports.open = ({ workers, bytes }) => {
  const workerFarm = require('worker-farm');
  const farm = workerFarm(
    {
      maxConcurrentWorkers: workers,
      autoStart: true,
      ...(bytes ? { workerOptions: { serialization: 'advanced' } } : {}),
    },
    path.join(__dirname, 'workers/worker-farm.cjs'),
  );
  return {
    submit: farm,
    close: () => new Promise((resolve) => workerFarm.end(farm, resolve)),
  };
};
