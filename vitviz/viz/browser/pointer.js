// Pointer events on elements divided into rows and columns.

// nearest valid index
export const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));

// nearest value of a range; its start, if it ends before
export const clampTo = (value, least, most) => Math.max(least, Math.min(most, value));

// row and column under the pointer
export function cellAt(event, node, [rows, columns]) {
  const box = node.getBoundingClientRect();
  const at = (offset, length, count) => clamp(Math.floor(offset / length * count), count);
  return [at(event.clientY - box.top, box.height, rows), at(event.clientX - box.left, box.width, columns)];
}

// Track the pointer over a node. `hover` gets each event, and null when the pointer leaves.
export function onHover(listening, node, hover) {
  listening.on(node, "pointermove", hover);
  for (const event of ["pointerleave", "pointercancel"]) listening.on(node, event, () => hover(null));
}

export const isCoarse = () => matchMedia("(pointer: coarse)").matches;
