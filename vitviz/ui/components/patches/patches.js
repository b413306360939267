// The patch picker alone.

export default function (component) {
  return mounted(Picker, ".patches", component);
}
