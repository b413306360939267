// What is too large to be sent with every answer: bytes that Streamlit sends once, and that lie here for the component
// that shows them.

import { readHeader } from "./binary.js";

const held = (globalThis.vitvizHeld ??= new Map()); // key of a payload -> { bytes, by }
const holders = new WeakMap(); // place in the page -> { key, turns }

export default function ({ data, parentElement }) {
  if (!holders.has(parentElement)) holders.set(parentElement, { turns: 0 });
  const holder = holders.get(parentElement);
  const { key } = readHeader(data);
  if (key !== holder.key) {
    letGo(holder);
    holder.key = key;
  }
  held.set(key, { bytes: data, by: holder });
  document.dispatchEvent(new CustomEvent("vitviz-held"));
  const turn = ++holder.turns;
  return () => {
    if (turn === holder.turns) letGo(holder);
  };
}

// another holder may hold the same by now
function letGo(holder) {
  if (held.get(holder.key)?.by === holder) held.delete(holder.key);
}
