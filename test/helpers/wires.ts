import { deserialize, serialize } from 'node:v8';
import { openSharedFile } from '../../src/manager/shared-files.js';
import type { ChildMessage, ManagerMessage } from '../../src/protocol.js';
import { closeSharedFile, SharedReader, SharedWriter } from '../../src/shared-file.js';
import type { Wire } from '../../src/wire.js';
import { advancedWire, JsonWire } from '../../src/wire.js';

/** Messages as each kind of wire carries them. */

export const opened: number[] = [];

/** A side that sends and one that receives, with a file between them or not, or over a channel that carries bytes. */
export function sides(by: 'file' | 'text' | 'channel', maxInline?: number): { sender: Wire; receiver: Wire } {
  if (by === 'channel') return { sender: advancedWire, receiver: advancedWire };
  const file = by === 'file' ? openSharedFile() : undefined;
  if (file !== undefined) opened.push(file);
  const writer = file === undefined ? undefined : new SharedWriter(file);
  const reader = file === undefined ? undefined : new SharedReader(file);
  return { sender: new JsonWire(writer, undefined, maxInline), receiver: new JsonWire(undefined, reader) };
}

/** What arrives of a message, as Node's channel carries it. */
export function carry<Message extends ManagerMessage | ChildMessage>(
  message: Message,
  by: Parameters<typeof sides>[0] = 'file',
  maxInline?: number,
): Message {
  const { sender, receiver } = sides(by, maxInline);
  const packed = sender.pack(message);
  const arrived = by === 'channel' ? deserialize(serialize(packed)) : JSON.parse(JSON.stringify(packed));
  return receiver.unpack(arrived) as Message;
}

/** Closes what was opened between the sides. */
export function closeFiles(): void {
  for (const file of opened.splice(0)) closeSharedFile(file);
}
