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

// Disable a button, or enable it. A disabled button loses the focus, and keys would no longer reach the component: `next`
// gets it.
export function disable(button, isDisabled, next) {
  if (isDisabled && button.matches(":focus")) next.focus({ preventScroll: true });
  button.disabled = isDisabled;
}

// Set a text if it differs from the last one set. The current text may have been changed by units.js.
const written = new WeakMap();
export function setText(node, text) {
  if (written.get(node) !== text) node.textContent = text;
  written.set(node, text);
}
