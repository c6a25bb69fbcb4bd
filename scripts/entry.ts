/**
 * What is bundled into `index.cjs`: the public names, and what the other built files take from there, so that a
 * job's `instanceof SerializationError` is about the class that the worker's side throws, and no code is shipped twice.
 */
import * as callSite from '../src/call-site.js';
import * as runner from '../src/child/runner.js';
import * as clock from '../src/clock.js';
import * as codec from '../src/codec.js';
import * as cpuQuota from '../src/cpu-quota.js';
import * as describe from '../src/describe.js';
import * as errorWire from '../src/error-wire.js';
import * as errors from '../src/errors.js';
import * as factory from '../src/factory.js';
import * as flags from '../src/flags.js';
import * as inside from '../src/inside.js';
import * as moduleRef from '../src/module-ref.js';
import * as nearest from '../src/nearest.js';
import * as optionChecks from '../src/option-checks.js';
import * as options from '../src/options.js';
import * as paths from '../src/paths.js';
import * as peakRss from '../src/peak-rss.js';
import * as plainCopy from '../src/plain-copy.js';
import * as protocol from '../src/protocol.js';
import * as registry from '../src/registry.js';
import * as serializer from '../src/serializer.js';
import * as sharedFile from '../src/shared-file.js';
import * as spec from '../src/spec.js';
import * as wire from '../src/wire.js';

export * from '../src/index.js';

/** Modules by their path under src. */
export const shared = {
  'child/runner': runner,
  clock,
  codec,
  errors,
  factory,
  describe,
  inside,
  options,
  protocol,
  nearest,
  registry,
  spec,
  flags,
  paths,
  'call-site': callSite,
  'cpu-quota': cpuQuota,
  'error-wire': errorWire,
  serializer,
  'shared-file': sharedFile,
  wire,
  'peak-rss': peakRss,
  'plain-copy': plainCopy,
  'option-checks': optionChecks,
  'module-ref': moduleRef,
};
