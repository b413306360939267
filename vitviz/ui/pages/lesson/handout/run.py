"""Data of a handout."""

from __future__ import annotations

from dataclasses import dataclass

from .....notation.view import token_label
from .....trace.trace import Trace
from .....walkthrough.checks import Check
from .....walkthrough.steps import BlockSteps


@dataclass(frozen=True, eq=False)
class Run:
    """Image, model, token and head of a handout, with their numbers.

    Attributes:
        image: name of the image; any text.
        model: title of the model.
        fit: fit of the image to the model input.
        address: query parameters that reopen this view; empty for the image of a user, which links do not contain.
        picture: image as JPEG, with the aspect ratio of the model input.
        trace: the forward pass; no other is needed if it recorded `embed.*` and `blocks.0.resid_pre`.
        block: steps of the chosen layer and head for the followed token, computed by hand.
        output: model output, by hand and by the model.
    """

    image: str
    model: str
    fit: str
    address: str
    picture: bytes
    trace: Trace
    block: BlockSteps
    output: Check

    @property
    def token(self) -> int:
        """Index of the followed token, a patch or a prefix token."""
        return self.block.head.query

    @property
    def index(self) -> int | None:
        """Patch index, row by row from 0; None for a prefix token, which has no pixels."""
        return None if self.token < self.trace.prefix else self.token - self.trace.prefix

    @property
    def patch(self) -> tuple[int, int] | None:
        """Row and column of the patch, from 0; None for a prefix token."""
        return None if self.index is None else divmod(self.index, self.trace.grid[1])

    @property
    def token_label(self) -> str:
        """Name of the followed token."""
        return self.name(self.token)

    @property
    def frames(self) -> list[tuple[str, tuple[int, int]]]:
        """Frame of the followed patch, for `paper.framed_image`."""
        return [] if self.patch is None else [("query", self.patch)]

    @property
    def head_label(self) -> str:
        """Label of layer and head, from 1."""
        return f"layer {self.block.head.layer + 1}, head {self.block.head.head + 1}"

    def name(self, token: int) -> str:
        """Return the name of a token."""
        return token_label(self.trace, token)
