"""Data of a handout."""

from __future__ import annotations

from dataclasses import dataclass

from .....notation.view import token_label
from .....trace.trace import Trace
from .....walkthrough.checks import Check
from .....walkthrough.steps import BlockSteps


@dataclass(frozen=True, eq=False)
class Run:
    """Image, model, patch and head of a handout, with their numbers.

    Attributes:
        image: name of the image; any text.
        model: title of the model.
        fit: fit of the image to the model input.
        address: query parameters that reopen this view; empty for the user's own image, which is never in links.
        picture: image as JPEG, with the aspect ratio of the model input.
        trace: the forward pass; no other is needed if it recorded `embed.*` and `blocks.0.resid_pre`.
        block: steps of the chosen layer and head for the chosen patch, computed by hand.
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
        """Token index of the chosen patch."""
        return self.block.head.query

    @property
    def index(self) -> int:
        """Patch index, row by row from 0."""
        return self.token - self.trace.prefix

    @property
    def patch(self) -> tuple[int, int]:
        """Row and column of the patch, from 0."""
        return divmod(self.index, self.trace.grid[1])

    @property
    def patch_label(self) -> str:
        """Name of the patch."""
        return self.name(self.token)

    @property
    def head_label(self) -> str:
        """Label of layer and head, from 1."""
        return f"layer {self.block.head.layer + 1}, head {self.block.head.head + 1}"

    def name(self, token: int) -> str:
        """Return the name of a token."""
        return token_label(self.trace, token)
