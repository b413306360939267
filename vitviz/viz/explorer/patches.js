// Sets of patches on a grid. Places are [row, column]; a query is a token, or the ascending tokens of several patches.

import { range } from "./attention.js";

// places of a rectangle, given by two opposite corners
export function rectangle([row, column], [otherRow, otherColumn]) {
  const span = (a, b) => range(Math.abs(a - b) + 1).map((i) => Math.min(a, b) + i);
  return span(row, otherRow).flatMap((r) => span(column, otherColumn).map((c) => [r, c]));
}

// places on a straight line, without gaps between neighbours
export function line([row, column], [otherRow, otherColumn]) {
  const steps = Math.max(Math.abs(otherRow - row), Math.abs(otherColumn - column));
  const at = (from, to, i) => Math.round(from + (to - from) * i / Math.max(1, steps));
  return range(steps + 1).map((i) => [at(row, otherRow, i), at(column, otherColumn, i)]);
}

// query of some tokens: null for none, and a single one is not a set
export function queryOf(tokens) {
  const ordered = [...new Set(tokens)].sort((a, b) => a - b);
  return ordered.length > 1 ? ordered : ordered[0] ?? null;
}

// patches of a query
export function patchesOf(query, prefix) {
  if (Array.isArray(query)) return query;
  return query !== null && query >= prefix ? [query] : [];
}

// first and last row, and first and last column
export function bounds(places) {
  const [rows, columns] = [0, 1].map((axis) => places.map((place) => place[axis]));
  return [rows, columns].map((all) => [Math.min(...all), Math.max(...all)]);
}

// SVG path around the patches, one unit per patch
export function outline(places, [rows, columns]) {
  const inside = new Set(places.map(([row, column]) => row * columns + column));
  const has = (row, column) => row >= 0 && column >= 0 && row < rows && column < columns && inside.has(row * columns + column);
  return places.map(([row, column]) => [
    has(row - 1, column) ? "" : `M${column} ${row}h1`,
    has(row + 1, column) ? "" : `M${column} ${row + 1}h1`,
    has(row, column - 1) ? "" : `M${column} ${row}v1`,
    has(row, column + 1) ? "" : `M${column + 1} ${row}v1`,
  ].join("")).join("");
}
