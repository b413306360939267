// Colours for canvases, to which style sheets do not apply.

export const QUERY = "#008f8a"; // same as in vitviz.viz.colour
export const KEY = "#d96a00";

// current text colour, which depends on the theme
export const ink = (node) => getComputedStyle(node).color;
