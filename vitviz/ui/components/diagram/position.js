// Position of the reader on a page with sections.

// Name of the section at a height of the window: the last one that begins above it, else the first. Hidden sections, which
// have no height, do not count.
export function sectionAt(sections, height) {
  const shown = sections.filter(({ top, bottom }) => bottom > top);
  return (shown.findLast(({ top }) => top <= height) ?? shown[0])?.name;
}

// Names of those sections ("page/name") that are on a page.
export function namesOn(page, sections) {
  return sections.map((section) => section.split("/")).filter(([other]) => other === page).map(([, name]) => name);
}

// Scroll position of a row that shows a box in its middle.
export function centred(box, row, scrollLeft) {
  return scrollLeft + box.left - row.left - (row.width - box.width) / 2;
}
