"""Questions about the conversion of an image to a sequence of tokens."""

from __future__ import annotations

import math

from ...errors.arguments import checked_index, typed
from ...trace.trace import Trace
from ..sequence import SequenceSizes, sequence_sizes
from .prefix_and_positions import first_token_question, positions_question
from .question import Option, Question, make_question, prefix_label, product

KNOWN_SIDES = (28, 7, 24, 4, 2)  # preferred patch sizes; the page has shown the results for 8, 14, 16 and 32


@typed
def sequence_questions(trace: Trace, patch: int) -> tuple[Question, ...]:
    """Return the questions at the end of the page on the sequence.

    Args:
        trace: trace of the image.
        patch: index of the chosen patch, row by row from 0.

    Returns:
        Five questions, named `"tokens"`, `"row"`, `"first_token"`, `"positions"` and `"larger_image"`; fewer for an
        image of one patch.

    Raises:
        IndexError: if the patch is out of range.
    """
    patch = checked_index(patch, trace.grid[0] * trace.grid[1], "patch")
    questions = (
        _other_patches(trace),
        _row_of_x(trace, patch),
        first_token_question(trace),
        positions_question(trace, patch),
        _larger_image(trace),
    )
    return tuple(question for question in questions if question is not None)


@typed
def other_side(trace: Trace) -> int | None:
    """Return another patch size that divides height and width into two or more patches; None if there is none."""
    side = trace.config.patch_size
    height, width = (count * side for count in trace.grid)
    nearest = sorted(range(1, min(height, width) // 2 + 1), key=lambda other: abs(math.log(other / side)))
    fit = [other for other in (*KNOWN_SIDES, *nearest) if height % other == width % other == 0 and other != side]
    return next((other for other in fit if other in nearest), None)


def _other_patches(trace: Trace) -> Question | None:
    """Ask for the number of tokens with another patch size P."""
    other = other_side(trace)
    if other is None:
        return None
    now, then = _sizes(trace, trace.config.patch_size), _sizes(trace, other)
    (rows, columns), prefix, front = then.grid, trace.prefix, prefix_label(trace.config)
    before = f" Before them {'comes' if prefix == 1 else 'come'} {front}" if prefix else ""

    def wrong(answer: int, why: str) -> Option:
        return Option(f"{answer:,}", f"{answer:,} {why}.")

    mistakes = [
        wrong(then.patches, "is the number of patches; but there are tokens before them, too")
        if prefix
        else wrong(then.patches + 1, "counts a token before the patches; this model has none"),
        wrong(columns, "is the number of patches in one row"),
    ]
    if now.patches * now.patch % other == 0:
        mistakes.append(
            wrong(
                now.patches * now.patch // other + prefix,
                f"is {now.patches:,} patches times {now.patch} / {other}. But both the number of rows and the number "
                "of patches in a row change by this factor",
            )
        )
    mistakes += [
        wrong(now.tokens, f"is the number of tokens with this model's P = {now.patch}"),
        wrong(
            then.patches * now.channels + prefix,
            f"counts separate patches for each of the {now.channels} channels. A patch has all channels of its pixels",
        ),
    ]
    return make_question(
        "tokens",
        f"This image has {{H}} × {{W}} = {now.height} × {now.width} pixels. How many tokens would it give with "
        f"{{P}} = {other}?",
        f"Count the patches of one row, then the rows. {'Not every token is a patch.' if prefix else ''}".strip(),
        Option(
            f"{then.tokens:,}",
            f"A row has {now.width} / {other} = {columns} patches, and there are {now.height} / {other} = {rows} rows: "
            f"{rows} × {columns} = {then.patches:,}."
            + (f"{before}: {then.patches:,} + {prefix} = {then.tokens:,}." if prefix else ""),
            right=True,
        ),
        mistakes,
    )


def _sizes(trace: Trace, side: int) -> SequenceSizes:
    height, width = (count * trace.config.patch_size for count in trace.grid)
    return sequence_sizes(height, width, side, trace.config.in_chans, prefix=trace.prefix)


def _row_of_x(trace: Trace, patch: int) -> Question | None:
    """Ask for the row of X of the chosen patch."""
    (rows, columns), prefix, front = trace.grid, trace.prefix, prefix_label(trace.config)
    above, left = divmod(patch, columns)
    row = prefix + patch + 1
    so = f"There {'is' if above == 1 else 'are'} {above} row{'s' * (above != 1)} of {columns} patches above it, and it "
    so += f"is number {left + 1} in its row"
    first = f"; {front} {'comes' if prefix == 1 else 'come'} first" if prefix else ""
    so += f"{first}. So {prefix} + " if prefix else ". So "
    so += f"{above} × {columns} + {left + 1} = {row:,}."

    def wrong(answer: int, why: str) -> Option:
        return Option(f"Row {answer:,}", f"{answer:,} {why}.")

    mistakes = [wrong(row - prefix, "counts patches only")] if prefix else []
    mistakes += [
        wrong(prefix + left * rows + above + 1, "counts column by column; patches are ordered row by row"),
        wrong(row - 1, "is the row of another token" if row > 1 else "does not exist"),
        wrong(row + columns, "counts one row of patches too many: the row of the patch itself is not complete"),
        wrong(prefix + left + 1, "counts only the patch's own row of patches"),
    ]
    if not prefix:
        mistakes.append(wrong(row + 1, "counts a token before the patches; this model has none"))
    mistakes.append(wrong(trace.token_count - row + 1, "counts from the bottom; the first row of the matrix is on top"))
    return make_question(
        "row",
        f"A patch is in row {above + 1}, column {left + 1} of a grid of {rows} rows and {columns} columns. Which row "
        "of {X} is its token, counted from 1?",
        f"Patches are ordered as one reads, row by row{first}. Count the tokens before this one.",
        Option(f"Row {row:,}", so, right=True),
        mistakes,
    )


def _larger_image(trace: Trace) -> Question | None:
    """Ask for the number of attention weights for an image twice as high and wide."""
    prefix, front, tokens = trace.prefix, prefix_label(trace.config), trace.token_count
    patches = tokens - prefix
    four_times, larger = f"4 × {patches:,} = {4 * patches:,}", prefix + 4 * patches
    expression, weights = product(larger, larger)

    def wrong(queries: int, keys: int, why: str) -> Option:
        mistaken, answer = product(queries, keys)
        return Option(answer, f"This {why}.", mistaken)

    twice, sixteen = prefix + 2 * patches, prefix + 16 * patches
    mistakes = [
        wrong(
            twice,
            twice,
            "counts twice as many patches. But there would be twice as many in a row, and also twice as many rows",
        ),
        wrong(larger, tokens, "has another number of queries than of keys. Every token has both a query and a key"),
    ]
    if prefix:
        mistakes.append(wrong(4 * tokens, 4 * tokens, f"counts {front} 4 times. Only the number of patches changes"))
    mistakes.append(
        wrong(sixteen, sixteen, "counts 16 times as many patches. Only the weights would be about 16 times as many")
    )
    if not prefix:
        mistakes.append(wrong(larger + 1, larger + 1, "counts a token before the patches; this model has none"))
    with_front = f", with {front} {larger:,} tokens." if prefix else ", each a token."
    return make_question(
        "larger_image",
        f"A head computes {' = '.join(product(tokens, tokens))} attention weights for this image. How many would it "
        "compute if the image were twice as high and twice as wide?",
        "First find the number of patches, then that of tokens. Each pair of a query and a key has one weight.",
        Option(
            weights,
            f"There would be {four_times} patches{with_front} Each token attends to each: {expression} = {weights}, "
            f"{larger**2 / tokens**2:.4g} times as many as now.",
            expression,
            right=True,
        ),
        mistakes,
    )
