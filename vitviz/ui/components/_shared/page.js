// The page around components: its scrolled element, and what covers its upper edge.

const MAIN = "[data-testid=stMain]";
const HEADER = "[data-testid=stHeader]";
const MAP = ".st-key-lesson_map"; // the map of the model sticks below the header

export const mainOf = (node) => (node.getRootNode().host ?? node).closest(MAIN);

// height of what covers the upper edge of the window once the page is scrolled
export function covered() {
  const map = document.querySelector(MAP);
  const sticks = map && getComputedStyle(map.parentElement).position === "sticky";
  const header = document.querySelector(HEADER)?.getBoundingClientRect().bottom ?? 0;
  return header + (sticks ? map.getBoundingClientRect().height : 0);
}

export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
