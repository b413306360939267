// Order of the numbers of a patch in its vector: row, column, channel; as in vitviz.walkthrough.sequence.patches.

export function placeOf(index, side, channels) {
  const pixel = Math.floor(index / channels);
  return { row: Math.floor(pixel / side), column: pixel % side, channel: index % channels };
}

export const indexAt = (row, column, channel, side, channels) => (row * side + column) * channels + channel;

// first and last + 1 of at most `most` neighbours around an index
export function seenFrom(index, most, count) {
  const from = Math.max(0, Math.min(index - Math.floor(most / 2), count - most));
  return [from, Math.min(count, from + most)];
}

// numbers that have arrived in the vector after a share of the animation; null at its end
export const shownAt = (done, count) => (done < 1 ? Math.floor(done * count) : null);
