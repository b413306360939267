// Elements of a component and their texts.

// elements with the attribute data-ref, by its value
export function refs(root) {
  return Object.fromEntries([...root.querySelectorAll("[data-ref]")].map((node) => [node.dataset.ref, node]));
}

export function element(tag, properties = {}, attributes = {}, children = []) {
  const node = Object.assign(document.createElement(tag), properties);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Set a text if it differs from the last one set. The current text may have been changed by units.js.
const written = new WeakMap();
export function setText(node, text) {
  if (written.get(node) !== text) node.textContent = text;
  written.set(node, text);
}
