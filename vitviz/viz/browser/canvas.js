// Canvases: size on high-density screens, and access to pixels.

// convert a size from CSS pixels to device pixels
export function onScreen(width, height) {
  const sharp = window.devicePixelRatio || 1;
  return { sharp, across: Math.round(width * sharp), down: Math.round(height * sharp) };
}

// pixel buffer of a canvas, allocated once per size
export function pixelsOf(canvas, width, height) {
  if (canvas.pixels?.width !== width || canvas.pixels?.height !== height) {
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    const image = context.createImageData(width, height);
    canvas.pixels = {
      width, height, packed: new Uint32Array(image.data.buffer), put: () => context.putImageData(image, 0, 0),
    };
  }
  return canvas.pixels;
}

// Fill a canvas with the colours of some tones, from a table of 256 packed pixels.
export function paint(canvas, tones, table, width, height) {
  const image = pixelsOf(canvas, width, height);
  tones.forEach((tone, i) => { image.packed[i] = table[tone]; });
  image.put();
}
