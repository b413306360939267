"""Three questions about how an image becomes a sequence."""

from __future__ import annotations

import math

from ...errors.arguments import checked_index, typed
from ...trace.trace import Trace
from ..sequence import Sizes, what_if
from .question import Option, Question, in_front, posed, product

KNOWN_SIDES = (8, 16, 32, 14, 4)  # of patches, the first that fits and is not the model's


@typed
def about_sequence(trace: Trace, patch: int) -> tuple[Question, ...]:
    """What the visitor can work out after the page on the sequence.

    Args:
        trace: whose image and model.
        patch: the chosen patch, row by row from 0.

    Returns:
        Three questions; fewer only for an image of one patch of one pixel, which leaves less to ask.

    Raises:
        IndexError: if there is no such patch.
    """
    patch = checked_index(patch, trace.grid[0] * trace.grid[1], "patch")
    asked = (_other_patches(trace), _row_of_x(trace, patch), _larger_image(trace))
    return tuple(question for question in asked if question is not None)


@typed
def other_side(trace: Trace) -> int | None:
    """Another side of a patch, in pixels, that divides height and width into two or more; None if there is none."""
    side = trace.config.patch_size
    height, width = (count * side for count in trace.grid)
    nearest = sorted(range(1, min(height, width) // 2 + 1), key=lambda other: abs(math.log(other / side)))
    fit = [other for other in (*KNOWN_SIDES, *nearest) if height % other == width % other == 0 and other != side]
    return next((other for other in fit if other in nearest), None)


def _other_patches(trace: Trace) -> Question | None:
    """How many tokens with another P?"""
    other = other_side(trace)
    if other is None:
        return None
    now, then = _sizes(trace, trace.config.patch_size), _sizes(trace, other)
    (rows, columns), prefix, front = then.grid, trace.prefix, in_front(trace.config)
    patches = f"{rows} × {columns} = {then.patches:,}"
    tokens, and_front, before = patches, "", ""
    if prefix:
        tokens, and_front = f"{rows} × {columns} + {prefix} = {then.tokens:,}", f", and {front}"
        before = f" In front of them {'stands' if prefix == 1 else 'stand'} {front}"

    def wrong(answer: int, why: str) -> Option:
        return Option(f"{answer:,}", f"{answer:,} {why}: {tokens}.")

    mistakes = [
        wrong(then.patches, f"is the number of patches.{before}")
        if prefix
        else wrong(then.patches + 1, "is one too many. This model puts nothing in front of the patches"),
        wrong(columns, f"is the number of patches in a row; there are {rows} rows of them{and_front}"),
    ]
    if now.patches * now.patch % other == 0:
        mistakes.append(
            wrong(
                now.patches * now.patch // other + prefix,
                f"comes from {now.patches:,} patches times {now.patch} / {other}, once. But both the patches in a row "
                "and the rows change by that much",
            )
        )
    mistakes += [
        wrong(
            now.tokens,
            f"is what this model makes of the image, with its own P = {now.patch}. With P = {other} there are {rows} "
            f"rows of {columns} patches{and_front}",
        ),
        wrong(
            then.patches * now.channels + prefix,
            f"takes each of the {now.channels} channels for patches of its own. A patch has all channels of its pixels",
        ),
    ]
    return posed(
        f"This image has {{H}} × {{W}} = {now.height} × {now.width} pixels. How many tokens would it give with "
        f"{{P}} = {other}?",
        Option(
            f"{then.tokens:,}",
            f"{now.width} / {other} = {columns} patches make a row, and {now.height} / {other} = {rows} rows of them "
            f"the image: {patches}." + (f"{before}: {then.patches:,} + {prefix} = {then.tokens:,}." if prefix else ""),
            right=True,
        ),
        mistakes,
    )


def _sizes(trace: Trace, side: int) -> Sizes:
    height, width = (count * trace.config.patch_size for count in trace.grid)
    return what_if(height, width, side, trace.config.in_chans, prefix=trace.prefix)


def _row_of_x(trace: Trace, patch: int) -> Question | None:
    """Which row of X is the chosen patch?"""
    (rows, columns), prefix, front = trace.grid, trace.prefix, in_front(trace.config)
    above, left = divmod(patch, columns)
    row = prefix + patch + 1
    so = f"Above it: {above} row{'s' * (above != 1)} of {columns} patches; in its own row: number {left + 1}"
    so += f"; in front of all: {front}. So {prefix} + " if prefix else ". So "
    so += f"{above} × {columns} + {left + 1} = {row:,}."

    def wrong(answer: int, why: str) -> Option:
        return Option(f"Row {answer:,}", f"{answer:,} {why}. {so}")

    mistakes = [wrong(row - prefix, "counts patches only")] if prefix else []
    mistakes += [
        wrong(prefix + left * rows + above + 1, "goes down column by column; patches are taken row by row"),
        wrong(row - 1, "counts from 0"),
        wrong(row + columns, f"takes {above + 1} rows for whole; the last of them is the one that it is in"),
        wrong(prefix + left + 1, "counts its own row of patches only"),
    ]
    if not prefix:
        mistakes.append(wrong(row + 1, "counts a token in front of the patches; this model puts nothing there"))
    mistakes.append(wrong(trace.token_count - row + 1, "counts from below; the first row of the matrix is on top"))
    return posed(
        f"The chosen patch is in row {above + 1}, column {left + 1} of a grid of {rows} rows and {columns} columns. "
        "Which row of {X} is its token, counted from 1?",
        Option(f"Row {row:,}", so, right=True),
        mistakes,
    )


def _larger_image(trace: Trace) -> Question | None:
    """How many attention weights if the image were twice as high and wide?"""
    prefix, front, tokens = trace.prefix, in_front(trace.config), trace.token_count
    patches = tokens - prefix
    four_times, larger = f"4 × {patches:,} = {4 * patches:,}", prefix + 4 * patches
    how, weights = product(larger, larger)
    so = f"{how} = {weights}"

    def wrong(looking: int, looked_at: int, why: str) -> Option:
        how, answer = product(looking, looked_at)
        return Option(answer, f"This {why}: {so}.", how)

    twice, sixteen = prefix + 2 * patches, prefix + 16 * patches
    mistakes = [
        wrong(
            twice,
            twice,
            "takes twice as many patches. Twice as many in a row and twice as many rows make 4 times as many, "
            f"{four_times}",
        ),
        wrong(
            larger,
            tokens,
            f"lets {larger:,} tokens look at {tokens:,}. Those that look and those that are looked at are the same",
        ),
    ]
    if prefix:
        still = "is still 1 token" if prefix == 1 else f"are still {prefix} tokens"
        mistakes.append(
            wrong(
                4 * tokens,
                4 * tokens,
                f"takes {front} 4 times. Only patches become more, {four_times}; in front of them there {still}",
            )
        )
    mistakes.append(
        wrong(
            sixteen,
            sixteen,
            f"takes 16 times as many patches. There are {four_times}; the weights become about 16 times as many",
        )
    )
    if not prefix:
        mistakes.append(
            wrong(larger + 1, larger + 1, "counts a token in front of the patches; this model puts nothing there")
        )
    with_front = f", with {front} {larger:,} tokens." if prefix else ", each a token."
    return posed(
        f"A head computes {' = '.join(product(tokens, tokens))} attention weights for this image. How many would it "
        "compute if the image were twice as high and twice as wide?",
        Option(
            weights,
            f"There would be {four_times} patches{with_front} Each looks at each: {so}, {larger**2 / tokens**2:.4g} "
            "times as many as now.",
            how,
            right=True,
        ),
        mistakes,
    )
