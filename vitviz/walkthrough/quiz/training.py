"""Question about a training run: the checkpoint at which the first head becomes local."""

from __future__ import annotations

from ...analysis.training import LOCAL, TrainingCurves, first_local_head
from ...errors.arguments import typed
from ...notation.marks import percent
from .question import Option, Question, make_question

NEVER = "At none of them"


@typed
def local_head_question(curves: TrainingCurves) -> Question | None:
    """Ask for the first checkpoint with a local head.

    Args:
        curves: numbers of the image over the run.

    Returns:
        The question, or None for an image of one patch, which has no distances.
    """
    uniform = float(curves.uniform_distance.mean())
    if not uniform:
        return None
    found, lowest = first_local_head(curves), curves.distance.mean(axis=-1).min(axis=(1, 2))
    checkpoints = range(len(curves.steps))

    def at(index: int) -> str:
        return f"At {curves.steps[index]}, the lowest mean attention distance of a head is {lowest[index]:.1f} px."

    if found is None:
        right = Option(NEVER, f"The lowest mean attention distance of all is {lowest.min():.1f} px.", right=True)
        mistakes = [Option(curves.steps[index], at(index)) for index in reversed(checkpoints)]
    else:
        right = Option(
            curves.steps[found.checkpoint],
            f"Here, layer {found.layer + 1}, head {found.head + 1} has a mean attention distance of "
            f"{found.distance:.1f} px, and uniform attention has {uniform:.1f} px.",
            right=True,
        )
        others = sorted(set(checkpoints) - {found.checkpoint}, key=lambda index: abs(index - found.checkpoint))
        later = "A head is local before this checkpoint."
        mistakes = [
            Option(curves.steps[index], at(index) if index < found.checkpoint else later) for index in others
        ] + [Option(NEVER, f"At the end, the lowest mean attention distance is {lowest[-1]:.1f} px.")]
    return make_question(
        "local_head",
        f"{_first_entropy(curves)}A head is local if its mean attention distance is at most {percent(LOCAL)} of that "
        f"of uniform attention, {LOCAL * uniform:.1f} px here. When does the first head become local?",
        f"At {curves.steps[0]}, the lowest distance is {lowest[0]:.1f} px. Move the slider; the distances of all "
        "heads are on the page Explore.",
        right,
        mistakes,
    )


def _first_entropy(curves: TrainingCurves) -> str:
    """State how near the attention of the first checkpoint is to uniform attention."""
    if curves.entropy is None:
        return ""
    mean = float(curves.entropy[0, ..., curves.prefix :].mean())
    return (
        f"At {curves.steps[0]}, the entropy of attention is {mean:.2f} bit on average; uniform attention has "
        f"{curves.uniform_entropy:.2f} bit. "
    )
