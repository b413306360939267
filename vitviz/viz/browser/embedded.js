// Decoding of payloads that a page contains as text; embedded.py describes the format.

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-:+=^!/*?()[]{}@%$#_|~";

// `size`: number of deflated bytes
export async function decoded(text, size) {
  const stream = new Blob([digits(text, size)]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return interleaved(new Uint8Array(await new Response(stream).arrayBuffer()));
}

function digits(text, size) {
  const values = new Uint8Array(128);
  for (let i = 0; i < ALPHABET.length; i++) values[ALPHABET.charCodeAt(i)] = i;
  const count = text.length / 5;
  const words = new DataView(new ArrayBuffer(4 * count));
  for (let word = 0, at = 0; word < count; word++) {
    let value = 0;
    for (let i = 0; i < 5; i++) value = 85 * value + values[text.charCodeAt(at++)];
    words.setUint32(4 * word, value);
  }
  return new Uint8Array(words.buffer, 0, size);
}

function interleaved(planes) {
  const half = planes.length / 2;
  const bytes = new Uint8Array(planes.length);
  for (let i = 0; i < half; i++) {
    bytes[2 * i] = planes[i];
    bytes[2 * i + 1] = planes[half + i];
  }
  return bytes;
}
