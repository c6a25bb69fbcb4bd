import { types } from 'node:util';
import { DefaultDeserializer, DefaultSerializer } from 'node:v8';

/** What follows the tag of a host object: a plain object with its properties, a Buffer, or from `FIRST_VIEW` on a view. */
const FLATTENED = 0;
const BUFFER = 1;
const FIRST_VIEW = 2;

type ViewConstructor = new (buffer: ArrayBuffer) => NodeJS.ArrayBufferView;

/** In the order of their tags; one that this version of Node lacks (Float16Array) is undefined. */
const VIEWS: readonly (readonly [name: string | undefined, view: ViewConstructor | undefined])[] = [
  [undefined, DataView],
  ['Int8Array', Int8Array],
  ['Uint8Array', Uint8Array],
  ['Uint8ClampedArray', Uint8ClampedArray],
  ['Int16Array', Int16Array],
  ['Uint16Array', Uint16Array],
  ['Int32Array', Int32Array],
  ['Uint32Array', Uint32Array],
  ['Float32Array', Float32Array],
  ['Float64Array', Float64Array],
  ['BigInt64Array', BigInt64Array],
  ['BigUint64Array', BigUint64Array],
  ['Float16Array', (globalThis as { readonly Float16Array?: ViewConstructor }).Float16Array],
];

const typedArrayPrototype: unknown = Object.getPrototypeOf(Uint8Array.prototype);

/** What a view is by birth: its class and its prototype may have been replaced, and v8 does not look at them either. */
const nameOfTypedArray = getter<string | undefined>(typedArrayPrototype, Symbol.toStringTag);
const ofTypedArray = partGetters(typedArrayPrototype);
const ofDataView = partGetters(DataView.prototype);

/**
 * The bytes of a value under the structured clone as Node's `serialization: 'advanced'` has it: Buffers stay Buffers,
 * objects of the host become plain objects with their enumerable properties.
 *
 * @param tag a whole number that is written first, in one byte up to 127
 * @throws what v8, or a getter of the user's, throws for a value that can't be sent
 */
export function serialize(value: unknown, tag?: number): Buffer {
  const serializer = new ValueSerializer();
  if (tag !== undefined) serializer.writeUint32(tag);
  serializer.writeHeader();
  serializer.writeValue(value);
  return serializer.releaseBuffer();
}

/**
 * The value of such bytes, without the tag; nothing in it is a view on them.
 *
 * @throws RangeError for a value nested too deeply, and others for damaged bytes
 */
export function deserialize(bytes: Uint8Array): unknown {
  const deserializer = new ValueDeserializer(bytes);
  deserializer.readHeader();
  return deserializer.readValue();
}

class ValueSerializer extends DefaultSerializer {
  /** Called by v8 for views, and for objects that C++ made. */
  _writeHostObject(object: object): void {
    if (!ArrayBuffer.isView(object)) {
      this.writeUint32(FLATTENED);
      this.writeValue({ ...object });
      return;
    }
    const bytes = bytesOf(object);
    this.writeUint32(tagOfView(object));
    this.writeUint32(bytes.byteLength);
    this.writeRawBytes(bytes);
  }
}

class ValueDeserializer extends DefaultDeserializer {
  /** Reads what `_writeHostObject` wrote; a view gets an ArrayBuffer of its own, of its size. */
  _readHostObject(): unknown {
    const tag = this.readUint32();
    if (tag === FLATTENED) return this.readValue();
    // What it reads is a view on the message.
    const own = ownBytes(this.readRawBytes(this.readUint32()));
    if (tag === BUFFER) return Buffer.from(own);
    const view = VIEWS[tag - FIRST_VIEW]?.[1];
    if (view === undefined) throw new RangeError(`Unknown kind of view: ${tag}`);
    return new view(own);
  }
}

/** A copy of the bytes, or of some of them, as an ArrayBuffer of just that size. */
export function ownBytes(bytes: Uint8Array, from = 0, to = bytes.byteLength): ArrayBuffer {
  const { buffer, byteOffset } = bytes;
  return (buffer as ArrayBuffer).slice(byteOffset + from, byteOffset + to);
}

/** The bytes that a typed array has by birth. */
export function byteLengthOf(array: Uint8Array): number {
  return ofTypedArray.byteLength.call(array);
}

function tagOfView(view: ArrayBufferView): number {
  if (Buffer.isBuffer(view)) return BUFFER;
  const name = types.isDataView(view) ? undefined : nameOfTypedArray.call(view);
  const index = VIEWS.findIndex(([candidate]) => candidate === name);
  if (index < 0) throw new TypeError(`A ${name} can not be sent`);
  return FIRST_VIEW + index;
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  const { buffer, byteOffset, byteLength } = types.isDataView(view) ? ofDataView : ofTypedArray;
  return new Uint8Array(buffer.call(view), byteOffset.call(view), byteLength.call(view));
}

function partGetters(prototype: unknown) {
  return {
    buffer: getter<ArrayBufferLike>(prototype, 'buffer'),
    byteOffset: getter<number>(prototype, 'byteOffset'),
    byteLength: getter<number>(prototype, 'byteLength'),
  };
}

/** The accessor that a built-in prototype has for a property. */
function getter<T>(prototype: unknown, key: string | symbol): (this: unknown) => T {
  return Object.getOwnPropertyDescriptor(prototype, key)?.get as (this: unknown) => T;
}
