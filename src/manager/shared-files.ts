import { constants } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { attempt } from '../attempt.js';
import { closeSharedFile, identityOf, own, SharedReader, SharedWriter } from '../shared-file.js';

/** Bytes that a file system in memory has to have, or the temporary folder is better: a container's has 64 MB. */
const ROOMY_BYTES = 512 * 1024 * 1024;
const IN_MEMORY = '/dev/shm';
/** Linux's flag for a file that has no name from the start, as open(2) has it; Node does not name it. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;

/**
 * Opens a file without a name, in memory where the system has a place for that.
 * @returns its descriptor; undefined where there is none to be had, as on Windows
 */
export function openSharedFile(): number | undefined {
  if (process.platform === 'win32') return undefined;
  // The environment is asked for the temporary one only where that is needed: it takes as long as opening the file.
  const folders = [() => IN_MEMORY, tmpdir];
  if (!isRoomy(IN_MEMORY)) folders.reverse();
  for (const folder of folders) {
    const file = attempt(() => openIn(folder()));
    if (file === undefined) continue;
    // Its first page is taken now: later there might be no room to say what was read.
    if (attempt(() => own.writeSync(file, new Float64Array(1), 0, 8, 0)) === 8) return file;
    closeSharedFile(file);
  }
  return undefined;
}

function isRoomy(folder: string): boolean {
  const { bsize, blocks } = attempt(() => own.statfsSync(folder)) ?? { bsize: 0, blocks: 0 };
  return bsize * blocks >= ROOMY_BYTES;
}

function openIn(folder: string): number {
  const unnamed = (): number => own.openSync(folder, O_TMPFILE | constants.O_RDWR, 0o600);
  return (process.platform === 'linux' ? attempt(unnamed) : undefined) ?? openUnlinked(folder);
}

function openUnlinked(folder: string): number {
  const path = join(folder, `threadfactory-${process.pid}-${process.hrtime.bigint()}`);
  const file = own.openSync(path, 'wx+', 0o600);
  own.unlinkSync(path);
  return file;
}

/** The two files between the manager and a child: one for each way. */
export class SharedFiles {
  readonly writer: SharedWriter;
  readonly reader: SharedReader;

  private constructor(readonly descriptors: readonly [inward: number, outward: number]) {
    this.writer = new SharedWriter(descriptors[0]);
    this.reader = new SharedReader(descriptors[1]);
  }

  /** Undefined where there are none to be had. */
  static open(): SharedFiles | undefined {
    const inward = openSharedFile();
    const outward = inward === undefined ? undefined : openSharedFile();
    if (inward !== undefined && outward !== undefined) return new SharedFiles([inward, outward]);
    closeSharedFile(inward);
    return undefined;
  }

  get identities(): (string | undefined)[] {
    return this.descriptors.map(identityOf);
  }

  close(): void {
    this.writer.close();
    this.reader.close();
  }
}
