// Store for payloads that are too large to be sent with every run. Streamlit sends each payload once; it stays here for
// the component that shows it.

import { readHeader } from "../../../viz/browser/binary.js";

const payloads = (globalThis.vitvizPayloads ??= new Map()); // key of a payload -> { bytes, owner }
const owners = new WeakMap(); // parent element -> { key, calls }

export default function ({ data, parentElement }) {
  if (!owners.has(parentElement)) owners.set(parentElement, { calls: 0 });
  const owner = owners.get(parentElement);
  const { key } = readHeader(data);
  if (key !== owner.key) {
    release(owner);
    owner.key = key;
  }
  payloads.set(key, { bytes: data, owner });
  document.dispatchEvent(new CustomEvent("vitviz-payload"));
  const call = ++owner.calls;
  return () => {
    if (call === owner.calls) release(owner);
  };
}

// Delete the payload, unless another owner has stored the same one since.
function release(owner) {
  if (payloads.get(owner.key)?.owner === owner) payloads.delete(owner.key);
}
