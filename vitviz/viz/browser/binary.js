// Decoding of binary payloads.

// Table from float16 bits to numbers: faster than arithmetic, and the same in every browser.
const HALF = (() => {
  const table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31;
    const fraction = bits & 1023;
    const size = exponent === 0 ? fraction * 2 ** -24
      : exponent === 31 ? (fraction ? NaN : Infinity)
      : (1 + fraction / 1024) * 2 ** (exponent - 15);
    table[bits] = bits & 32768 ? -size : size;
  }
  return table;
})();

export function halves(buffer, offset, count) {
  const bits = new Uint16Array(buffer, offset, count);
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = HALF[bits[i]];
  return numbers;
}

// Read the header of a payload of binary.py, with the offset `start` of the sections, whose positions the header lists.
export function readHeader(bytes) {
  const start = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { ...JSON.parse(new TextDecoder().decode(bytes.subarray(4, start))), start };
}

export const fromBase64 = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

// base64 of 256 x RGBA -> 256 packed pixels in this machine's byte order
export const packedColours = (text) => new Uint32Array(fromBase64(text).buffer);
