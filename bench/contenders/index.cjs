'use strict';
// Who takes part. `peer: true` marks what threadfactory's "fastest peer" is chosen from: pools used as their
// documentation shows. The serial loop, the ceiling and batches by hand are yardsticks.

const all = [
  { id: 'threadfactory', label: 'threadfactory', kind: 'processes', module: 'threadfactory.cjs' },
  {
    id: 'threadfactory-journal',
    label: 'threadfactory with a journal',
    kind: 'processes',
    module: 'threadfactory.cjs',
    options: { journal: true },
  },
  {
    id: 'threadfactory-journal-key',
    label: 'threadfactory with a journal and a key',
    kind: 'processes',
    module: 'threadfactory.cjs',
    options: { journal: true, key: true },
  },
  { id: 'piscina', label: 'piscina', kind: 'threads', peer: true, module: 'piscina.cjs' },
  { id: 'tinypool-threads', label: 'tinypool', kind: 'threads', peer: true, module: 'tinypool.cjs' },
  { id: 'tinypool-processes', label: 'tinypool', kind: 'processes', peer: true, module: 'tinypool.cjs' },
  { id: 'workerpool-threads', label: 'workerpool', kind: 'threads', peer: true, module: 'workerpool.cjs' },
  {
    id: 'workerpool-processes',
    label: 'workerpool',
    kind: 'processes',
    peer: true,
    module: 'workerpool.cjs',
  },
  { id: 'poolifier-threads', label: 'poolifier', kind: 'threads', peer: true, module: 'poolifier.cjs' },
  { id: 'poolifier-cluster', label: 'poolifier', kind: 'processes', peer: true, module: 'poolifier.cjs' },
  { id: 'jest-worker-threads', label: 'jest-worker', kind: 'threads', peer: true, module: 'jest-worker.cjs' },
  {
    id: 'jest-worker-processes',
    label: 'jest-worker',
    kind: 'processes',
    peer: true,
    module: 'jest-worker.cjs',
  },
  { id: 'worker-farm', label: 'worker-farm', kind: 'processes', peer: true, module: 'worker-farm.cjs' },
  {
    id: 'piscina-chunked',
    label: 'piscina, 1 000 a call by hand',
    kind: 'threads',
    module: 'piscina-chunked.cjs',
  },
  { id: 'serial', label: 'a loop in one process', kind: 'no pool', module: 'serial.cjs' },
  { id: 'ceiling', label: 'two static halves, no pool', kind: 'processes', module: 'ceiling.cjs' },
  { id: 'loaded', label: 'two bare forks that load the library', kind: 'processes' },
  { id: 'dealt', label: 'dealt by hand to bare forks', kind: 'processes', module: 'dealt.cjs' },
];

const byId = new Map(all.map((contender) => [contender.id, contender]));

module.exports = { all, byId };
