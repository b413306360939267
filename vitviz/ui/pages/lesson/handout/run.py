"""What one visitor looked at, with its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from .....notation.view import token_label
from .....trace.trace import Trace
from .....walkthrough.checks import Check
from .....walkthrough.steps import BlockSteps


@dataclass(frozen=True, eq=False)
class Run:
    """What one visitor looked at.

    Attributes:
        image: what their image is called; may be anything.
        model: what the model is called.
        fit: how the image became the model's input.
        address: the query parameters that reopen this; empty if the image is the visitor's own, which no link carries.
        picture: the photo as people see it, JPEG, with the aspect ratio of the model's input.
        trace: the forward pass; if it has recorded `embed.*` and `blocks.0.resid_pre`, no other one is needed.
        block: what the chosen layer and head do for the chosen patch, by hand.
        output: what the model returns, by hand and by the model.
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
        """The chosen patch as a token."""
        return self.block.head.query

    @property
    def index(self) -> int:
        """Which patch this is, row by row from 0."""
        return self.token - self.trace.prefix

    @property
    def patch(self) -> tuple[int, int]:
        """Its row and column, from 0."""
        return divmod(self.index, self.trace.grid[1])

    @property
    def who(self) -> str:
        """What it is called."""
        return self.name(self.token)

    @property
    def where(self) -> str:
        """Layer and head, from 1."""
        return f"layer {self.block.head.layer + 1}, head {self.block.head.head + 1}"

    def name(self, token: int) -> str:
        """What a token is called."""
        return token_label(self.trace, token)
