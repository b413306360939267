// The patch picker alone.

const pickers = new WeakMap();

export default function (component) {
  return mounted(pickers, Picker, component);
}
