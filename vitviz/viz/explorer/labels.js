// Texts: names, the status line, the legend, and notes on the model. Layers, heads, rows and columns count from 1.

import { entropyBits, strongest, sumOf } from "./attention.js";
import { bounds } from "./patches.js";

const times = (data) => 2 ** data.uniform_range;

// as vitviz.notation.marks.percent
export function percent(share) {
  const value = 100 * share;
  if (value === 0) return "0 %";
  if (value < 0) return value <= -1e-4 ? `−${percent(-share)}` : "> −0.0001 %";
  if (value < 1e-4) return "< 0.0001 %";
  const decimals = value < 10 ? Math.min(4, Math.max(0, 2 - Math.floor(Math.log10(value)))) : 1;
  return `${value.toFixed(decimals)} %`;
}

// as vitviz.notation.view.token_label
export function tokenWords(data, token) {
  if (Array.isArray(token)) return regionWords(data, token);
  if (token < data.prefix) return data.prefix_names[token];
  const [row, column] = data.place(token);
  return `patch (${row + 1}, ${column + 1})`;
}

function regionWords(data, tokens) {
  const ends = bounds(tokens.map((token) => data.place(token)));
  const around = ends.map(([first, last]) => first === last ? `${first + 1}` : `${first + 1} to ${last + 1}`).join(", ");
  const [rows, columns] = ends.map(([first, last]) => last - first + 1);
  return tokens.length === rows * columns ? `mean of patches (${around})` : `mean of ${tokens.length} patches in (${around})`;
}

export function levelMark(data, level) {
  return data.isPool(level) ? "pool" : `L${level + 1}`;
}

export function headWords(data, level, head) {
  const place = data.isPool(level) ? "Pooling" : `Layer ${level + 1}`;
  return `${place}, ${head === null ? "mean of the heads" : `head ${head + 1}`}`;
}

// ------------------------------------------------------------------ the status line

export function statusWords(data, view, token, weights) {
  const head = headWords(data, view.layer, view.head);
  const about = data.isPool(view.layer) ? head : `${head}, ${tokenWords(data, token)}`;
  if (weights) return `${about}: ${strongestWords(data, view, weights)}`;
  if (data.hasEnded) return `${about}: this layer needs the kernel, which has ended`;
  return data.kept ? `${about}: not in this file, which has ${layerWords(data.kept)}` : `${about}: fetching this layer …`;
}

function strongestWords(data, view, weights) {
  const top = data.strongestPatch(weights);
  const [patch, share] = [tokenWords(data, top), percent(weights[top])];
  const isRow = view.direction === "from" || data.isPool(view.layer);
  const text = isRow ? `attends most to ${patch}, ${share}` : `attended to most by ${patch}, ${share}`;
  const first = strongest(weights, 0, data.prefix);
  const isMore = data.prefix > 0 && Math.abs(weights[first]) > Math.abs(weights[top]);
  return isMore ? `${text} (${data.prefix_marks[first]} more: ${percent(weights[first])})` : text;
}

// ------------------------------------------------------------------ the legend

// ends of the colour bar
export function endWords(data, scale, weights) {
  if (scale === "uniform") return [`≤ 1/${times(data)} ×`, `≥ ${times(data)} ×`];
  const high = scale === "raw" ? "100 %" : percent(Math.abs(weights[data.strongestPatch(weights)]));
  return [data.signed ? `−${high}` : "0", high];
}

export function factWords(data, view, weights) {
  const facts = data.isPool(view.layer) ? poolFacts : view.direction === "from" ? rowFacts : columnFacts;
  return facts(data, view, weights).join(" · ");
}

function rowFacts(data, view, weights) {
  return [...prefixFacts(data, weights), data.signed ? rowSumFact(data, view.layer) : entropyFact(weights, data.tokens)];
}

function columnFacts(data, view, weights) {
  const given = data.prefix_marks.slice(0, 2).map((mark, token) => `${percent(weights[token])} from ${mark}`);
  const received = sumOf(weights, 0, data.tokens);
  return data.signed
    ? [...given, `receives ${percent(received)} in total`, rowSumFact(data, view.layer)]
    : [...given, `receives ${received.toFixed(2)} × uniform`];
}

function poolFacts(data, view, weights) {
  const read = data.pool_reads === data.tokens ? prefixFacts(data, weights) : ["attends to patches only"];
  return ["learned query, independent of the pinned token", ...(data.prefix ? read : []), entropyFact(weights, data.pool_reads)];
}

function prefixFacts(data, weights) {
  const { prefix, prefix_marks: marks } = data;
  if (prefix <= 2) return marks.map((mark, token) => `${percent(weights[token])} to ${mark}`);
  return [`${percent(sumOf(weights, 0, prefix))} to ${marks[0]} and ${prefix - 1} other prefix tokens`];
}

// weights that may be negative are not a distribution and have no entropy
function rowSumFact(data, layer) {
  return `rows sum to 1 − λ = ${data.row_sums[layer].toFixed(2).replace("-", "−")}`;
}

function entropyFact(weights, tokens) {
  return `entropy ${entropyBits(weights).toFixed(1)} of ${Math.log2(tokens).toFixed(1)} bit`;
}

// ------------------------------------------------------------------ the model

// below the small maps
export function noteWords(data) {
  const some = data.kept
    ? `This file has the queries and keys of ${layerWords(data.kept)}; the other layers show only the token that was `
      + "selected when it was saved."
    : "At this size, only the framed layer follows the pointer; the other layers show the pinned token.";
  return [data.readout, data.all_live ? "" : some].filter(Boolean).join(" ");
}

function layerWords(layers) {
  const names = layers.map((layer) => `${layer + 1}`);
  if (names.length < 2) return `layer ${names}`;
  return `layers ${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

// in the help
export function aboutWords(data) {
  return [
    data.pool_heads
      ? "Pool, the lowest row, is the attention pooling, which computes the output from the tokens with one learned query. "
        + "Its maps do not depend on the patch under the pointer." : "",
    data.signed
      ? "This model uses differential attention, so weights may be negative: red is positive, blue negative, and 0 the "
        + "light middle. The largest weight is the largest in absolute value. Relative to max: each map ranges from minus "
        + "to plus its largest absolute patch weight. Weight: all maps range from −1 to 1." : "",
    data.prefix_marks.includes("DIST") ? "DIST is the distillation token, trained to match another model." : "",
  ].filter(Boolean).join(" ");
}
