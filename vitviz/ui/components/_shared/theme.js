// Colours for canvases, to which style sheets do not apply.

export const QUERY = "#2f81f7"; // same as in vitviz.viz.colour
export const KEY = "#e5484d";

// current text colour, which depends on the theme
export const ink = (node) => getComputedStyle(node).color;
