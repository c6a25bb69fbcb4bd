/**
 * What is bundled into `index.cjs`: the public names, and what the child's bootstrap takes from there, so that a
 * job's `instanceof SerializationError` is about the class that the worker's side throws, and no code is shipped twice.
 */
import * as clock from '../src/clock.js';
import * as codec from '../src/codec.js';
import * as errorWire from '../src/error-wire.js';
import * as errors from '../src/errors.js';
import * as inside from '../src/inside.js';
import * as protocol from '../src/protocol.js';
import * as registry from '../src/registry.js';
import * as spec from '../src/spec.js';

export * from '../src/index.js';

/** Modules by their path under src. */
export const shared = {
  clock,
  codec,
  errors,
  inside,
  protocol,
  registry,
  spec,
  'error-wire': errorWire,
};
