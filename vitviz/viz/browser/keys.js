// Keyboard navigation in components.

const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }; // [down, right]

// Listen to keys on a node. `act` gets the event and, for an arrow key, its step. It returns false for keys that it does not
// handle, which then have their default effect.
export function onKeys(listening, node, act) {
  listening.on(node, "keydown", (event) => {
    const typed = event.key.length === 1 && event.getModifierState("AltGraph"); // used for [ and ] on many keyboards
    if (!typed && (event.ctrlKey || event.metaKey || event.altKey)) return;
    if (act(event, ARROWS[event.key]) === false) return;
    event.preventDefault();
    event.stopPropagation();
  });
}

export function isPress(event) {
  return event.key === "Enter" || event.key === " ";
}

// Make one of several nodes the only one in the tab order (roving tabindex).
export function rove(nodes, isStop) {
  for (const node of nodes) node.tabIndex = isStop(node) ? 0 : -1;
}
