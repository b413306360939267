"""Parts of the page that all three modes share: boxes for layer and head, sides of the component."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ....analysis.comparison import counterparts
from ....trace.trace import Trace
from ...app import state
from ...app.views import VIEW
from ...components.match import Pairing, Shown, Side, match_view
from ...widgets.view_boxes import layer_and_head
from ..attention.settings import with_one_head
from ..lesson import followed_token
from ..lesson.sections import Patch
from . import comparisons, settings

PICTURE = 720  # pixels of the longer side of a picture


@dataclass(frozen=True, eq=False)
class Compared:
    """Chosen image and model with its trace, layer, head and patch.

    Attributes:
        choice: image and model.
        trace: the forward pass.
        layer: layer, from 0.
        head: head, from 0.
        patch: row and column of the followed patch, from 0.
    """

    choice: state.Choice
    trace: Trace
    layer: int
    head: int
    patch: Patch


def current(choice: state.Choice) -> Compared:
    """Return the user's current view."""
    trace = state.trace(choice)
    view = with_one_head(VIEW.of(trace), trace)
    return Compared(choice, trace, view.layer, view.head, followed_token.followed_patch(trace))


def boxes(view: Compared) -> None:
    """Draw the boxes for layer and head, from 1."""
    layer_and_head(view.trace, view.layer, view.head, "compare_first", width=120)


def choose_head(layer: int, head: int) -> None:
    """Choose layer and head of the first model, from 0, on all pages."""
    VIEW.change(layer=layer, head=head)


def side(
    choice: state.Choice,
    title: str,
    layer: int,
    head: int,
    units: np.ndarray | None = None,
    colours: np.ndarray | None = None,
) -> Side:
    """Return a side of the component for an image and a model."""
    return Side(
        title=title,
        name=choice.picked.name,
        picture=state.picture(choice, PICTURE),
        trace=state.trace(choice),
        layer=layer,
        head=head,
        vectors=comparisons.vectors(choice, layer),
        units=units,
        colours=colours,
    )


def same_head(
    a: state.Choice,
    b: state.Choice,
    layer: int,
    head: int,
    patch: Patch,
    shown: Shown,
    *,
    centred: bool = False,
    colours: Sequence[np.ndarray | None] = (None, None),
    follows: bool = False,
    on_shown: Callable[[Shown], None],
    key: str,
) -> None:
    """Draw two images in one model: the partner of a patch is the patch with the most similar token.

    Args:
        a: image A and the model.
        b: image B and the same model.
        layer: layer, from 0.
        head: head, from 0.
        patch: row and column of the followed patch of A, from 0.
        shown: what the pictures show.
        centred: whether the mean token is subtracted from both.
        colours: colours of the patches of both, uint8 [patch, 3]; None for none.
        follows: whether picture A follows the pointer in the explorer.
        on_shown: function called when the user shows something else.
        key: identity of the component in the session.
    """
    found = comparisons.matches(a, b, layer, centred)
    sides = [
        side(one, f"{mark}: {one.picked.name}", layer, head, units, of_patches)
        for mark, one, units, of_patches in zip("AB", (a, b), found.units, colours, strict=True)
    ]
    mutual = found.mutual()
    pairs = np.column_stack([mutual, found.similarity[mutual[:, 0]]])
    match_view(
        *sides,
        Pairing("match", found.best, found.best_back, pairs, ", mean of all patches subtracted" if centred else ""),
        shown,
        patch,
        on_choose=followed_token.follow_patch,
        on_shown=on_shown,
        follows=follows,
        key=key,
    )


def same_place(a: tuple[str, state.Choice, int, int], b: tuple[str, state.Choice, int, int], patch: Patch) -> None:
    """Draw the attention of two models at the same place of the image.

    Args:
        a: title, image and model, layer and head of picture A; layer and head count from 0.
        b: the same for picture B.
        patch: row and column of the followed patch of A, from 0.
    """
    sides = [side(choice, title, layer, head) for title, choice, layer, head in (a, b)]
    first, second = (one.trace for one in sides)
    match_view(
        *sides,
        Pairing("place", counterparts(first, second), counterparts(second, first)),
        settings.shown(),
        patch,
        on_choose=followed_token.follow_patch,
        on_shown=settings.set_shown,
        key="compare_view",
    )
