// Colours that are drawn on canvases, where style sheets do not reach.

export const QUERY = "#2f81f7"; // as vitviz.viz.colour has them
export const KEY = "#e5484d";

// the colour of text there, which is light or dark
export const ink = (node) => getComputedStyle(node).color;
