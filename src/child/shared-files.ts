import { isSharedFile, SharedReader, SharedWriter } from '../shared-file.js';
import { Wire } from '../wire.js';

/** Descriptors of the files for what comes and what goes, as the manager placed them. */
const INWARD = 4;
const OUTWARD = 5;

/** The child's end of the wire over the files that the manager opened; without one that did not get here. */
export function wireOverFiles(): Wire {
  const writer = isSharedFile(OUTWARD) ? new SharedWriter(OUTWARD) : undefined;
  return new Wire(writer, isSharedFile(INWARD) ? new SharedReader(INWARD) : undefined);
}
