// Keys that move about in a component and choose.

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }; // [down, right]

// Have a node hear keys. `act` gets the event and, for an arrow key, its step; it returns false if the key means nothing
// to it: then the key does what it does elsewhere.
export function onKeys(listening, node, act) {
  listening.on(node, "keydown", (event) => {
    const typed = event.key.length === 1 && event.getModifierState("AltGraph"); // how [ and ] are typed on many keyboards
    if (!typed && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (act(event, ARROWS[event.key]) === false) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

export function isPress(event) {
  return event.key === "Enter" || event.key === " ";
}

// Make one of several nodes the only stop for the Tab key; arrows move within.
export function rove(nodes, isStop) {
  for (const node of nodes) node.tabIndex = isStop(node) ? 0 : -1;
}
