"""Expected state of a user's session, by the library's own rules: what is looked at, and what a link to it leads to."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache

import vitviz
from vitviz.analysis.attention import HeadStatistics, head_statistics
from vitviz.notation.view import View, token_layout
from vitviz.trace.trace import Trace
from vitviz.ui.app import models, state, views
from vitviz.viz import export

SIZES = {"dinov2-small": (224, 280), "digits": (32,)}
FIRST = {"dinov2-small": "cat", "digits": "digit-0"}


@cache
def model(name: str) -> vitviz.VisionTransformer:
    return vitviz.load(name)


@cache
def statistics(key: tuple) -> HeadStatistics:
    return head_statistics(_trace(*key))


@cache
def _trace(data: bytes, name: str, size: int, fit: str) -> Trace:
    return model(name).trace(data, size=size, fit=fit)


@dataclass(frozen=True)
class Session:
    """Selection of a user."""

    model: str = "dinov2-small"
    image: str = "cat"
    own: bytes | None = field(default=None, repr=False)
    size: int = 224
    fit: str = "crop"
    view: View = View(11)  # noqa: RUF009 - it is frozen

    @property
    def key(self) -> tuple:
        return self.own or state.samples()[self.image], self.model, self.size, self.fit

    @property
    def trace(self) -> Trace:
        return _trace(*self.key)

    def looking_at(self, **changes) -> Session:
        """The same view of something else, as far as it has it."""
        after, before = replace(self, **changes), self.trace
        view = self.view
        if token_layout(before) != token_layout(after.trace):
            view = view.without_pinned_patch(after.trace, before.prefix)
        return replace(after, view=view.fitted(after.trace))

    def parameters(self) -> dict[str, str]:
        """The link to this."""
        image = state.OWN if self.own else self.image
        choice = {"image": image, "model": self.model, "size": str(self.size), "fit": self.fit}
        return choice | views.view_parameters(self.view, self.trace)

    def reopened(self) -> Session:
        """The session after a reload: the same, also if the image is the user's own, which their browser has kept."""
        view, _ = views.read_view(self.parameters(), self.trace)
        return replace(self, view=view.fitted(self.trace))

    def shared(self) -> Session:
        """The session of somebody else who opens the link; an own image is not part of it."""
        start = replace(self, own=None, image=FIRST[self.model]) if self.own else self
        view, _ = views.read_view(self.parameters(), start.trace)
        return replace(start, view=view.fitted(start.trace))

    def about(self) -> dict:
        """Expected metadata of a download."""
        return export.metadata(self.trace, self.view, self.image, models.title(self.model), self.fit)
