"""Map of the model: one row of buttons from the image to the output, with the present section marked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from .._shared import Component, Listener
from .steps import Group, Step, all_steps, as_data, model_steps

__all__ = ["Group", "Step", "all_steps", "diagram", "model_steps"]

component = Component("diagram", Path(__file__).parent)


def diagram(
    steps: Sequence[Step | Group],
    page: str,
    on_go: Callable[[str], None],
    *,
    on_here: Listener,
    arriving: tuple[str, int] | None = None,
    key: str,
) -> None:
    """Draw the map.

    A click on a step scrolls to its section if that is on the page. Otherwise `on_go` is called with page and name of
    the section, such as `"attention/scores"`.

    Args:
        steps: steps and groups of the model.
        page: address of the open page.
        on_go: function called with a section of another page.
        on_here: listener for the name of the section in view, which the browser tells when the class link is opened.
        arriving: section to scroll to once it is there, and a number that is different each time; None to stay.
        key: identity of the map in the session.
    """
    sections = {section for step in all_steps(steps) for section in step.sections}

    def read(message: object) -> str:
        if not isinstance(message, str) or message not in sections:
            raise ValueError("not a section of the map")
        return message

    section, number = arriving or ("", 0)
    data = {"page": page, "steps": [as_data(step) for step in steps], "arriving": section, "arrival": number}
    component.draw(data, {"go": Listener("a section", read, on_go), "here": on_here}, key=key)
