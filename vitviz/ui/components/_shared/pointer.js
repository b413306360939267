// The pointer over something that is divided into rows and columns.

// the nearest of so many places, counted from 0
export const clamp = (value, count) => Math.min(count - 1, Math.max(0, value));

// row and column under the pointer
export function cellAt(event, node, [rows, columns]) {
  const box = node.getBoundingClientRect();
  const at = (offset, length, count) => clamp(Math.floor(offset / length * count), count);
  return [at(event.clientY - box.top, box.height, rows), at(event.clientX - box.left, box.width, columns)];
}

// Follow the pointer over a node: `hover` gets each event, and null once the pointer has left.
export function onHover(listening, node, hover) {
  listening.on(node, "pointermove", hover);
  for (const event of ["pointerleave", "pointercancel"]) listening.on(node, event, () => hover(null));
}

export const isCoarse = () => matchMedia("(pointer: coarse)").matches;
