// Raw bytes in, numbers out; for all components that compute in the browser.

// float16 bits -> number, for all 65,536 patterns: faster than any arithmetic, and the same in every browser.
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

function halves(buffer, offset, count) {
  const bits = new Uint16Array(buffer, offset, count);
  const numbers = new Float32Array(count);
  for (let i = 0; i < count; i++) numbers[i] = HALF[bits[i]];
  return numbers;
}

// The payload of payload.py: length of the header, JSON header, then the sections, whose places the header lists.
function readHeader(bytes) {
  const start = 4 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  return { ...JSON.parse(new TextDecoder().decode(bytes.subarray(4, start))), start };
}
