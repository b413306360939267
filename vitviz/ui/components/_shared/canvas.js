// Canvases: their size on sharp screens, and their pixels as numbers.

// what a size in the page's pixels is in those of the screen
export function onScreen(width, height) {
  const sharp = window.devicePixelRatio || 1;
  return { sharp, across: Math.round(width * sharp), down: Math.round(height * sharp) };
}

// the pixels of a canvas, made once for its size and written again and again
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

// Fill a canvas with a colour of the table, 256 packed pixels, for each tone.
export function paint(canvas, tones, table, width, height) {
  const image = pixelsOf(canvas, width, height);
  tones.forEach((tone, i) => { image.packed[i] = table[tone]; });
  image.put();
}
