import { identityOf, SharedReader, SharedWriter } from '../shared-file.js';
import type { Wire } from '../wire.js';
import { JsonWire } from '../wire.js';

/** Descriptors of the files for what comes and what goes, as the manager placed them. */
const INWARD = 4;
const OUTWARD = 5;

/**
 * The child's end of the wire over the files that the manager opened.
 * @param files their identities: what runs in between may have closed them, and opened others
 * @returns undefined where not both got here
 */
export function wireOverFiles(files: readonly (string | undefined)[]): Wire | undefined {
  const got = [identityOf(INWARD), identityOf(OUTWARD)];
  if (got.some((file, at) => file === undefined || file !== files[at])) return undefined;
  return new JsonWire(new SharedWriter(OUTWARD), new SharedReader(INWARD));
}
