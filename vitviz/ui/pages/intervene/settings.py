"""Settings of the page "Intervene": edits, second image, and tools."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import streamlit as st

from .... import zoo
from ....analysis.predictions import predictions
from ....errors import EditError
from ....model.edits import ActivationCopy, Edit, PatchEdit, checked
from ....notation.edits import format_edits, parse_edits
from ....trace.trace import Trace
from ...app import models, second_image, state
from ...app.settings import Setting
from ...app.views import VIEW
from .defaults import first_edit, most_moved

NOTHING = "none"  # in a link: no edits


@dataclass(frozen=True)
class EditsSetting(Setting):
    """Edits of this model and grid; those of others are kept until the user returns to them.

    The default of a model is `defaults.first_edit`. A model keeps its edits when a user teaches it classes, because
    they do not depend on its head.
    """

    def get(self, context: state.Choice) -> tuple[Edit, ...]:
        """Return the edits."""
        session, trace = st.session_state, state.trace(context)
        made_for = zoo.base_of(context.model), trace.grid
        if "edits" not in session:
            session.edits, session.edits_are_first = (), True
            self.take_from_link(context)
            session.patches_of = context.picked.digest
        elif session.edits_for != made_for:
            before = () if session.edits_are_first else session.edits
            _store()
            session.edits = _restored(made_for, trace)
            session.edits_are_first = made_for[0] not in session.edits_kept
            if any(edit not in session.edits for edit in before):
                session.edits_away = True
        session.edits_for = made_for
        if session.edits_are_first:
            session.edits = (first_edit(context, trace),)
        return session.edits

    def is_set(self, context: state.Choice | None = None) -> bool:
        """Return True if the edits come from the user or a link, not from the default."""
        return not st.session_state.edits_are_first

    def set(self, value: Iterable[Edit], context: state.Choice | None = None) -> None:
        """Replace the edits."""
        st.session_state.edits, st.session_state.edits_are_first = tuple(value), False

    def now(self) -> tuple[Edit, ...]:
        """Return the current edits of the page; for callbacks."""
        return st.session_state.edits

    def from_link(self, texts: Mapping[str, str], context: state.Choice) -> tuple[tuple[Edit, ...], list[str]]:
        """Parse the edits of a link; no edits and a problem if they do not fit this model and grid."""
        trace, text = state.trace(context), texts[self.name]
        try:
            return () if text == NOTHING else parse_edits(text, trace.config, trace.grid), []
        except EditError as error:
            return (), [f"The link's edits were left out: {error}"]

    def to_link(self, context: state.Choice) -> dict[str, str]:
        """Return the query parameter of the edits, unless they are the default."""
        edits, trace = self.get(context), state.trace(context)
        return {self.name: format_edits(edits, trace.config, trace.grid) or NOTHING} if self.is_set() else {}


def _store() -> None:
    """Store the edits: patch edits per model and grid, all others per model."""
    session = st.session_state
    kept, model = session.setdefault("edits_kept", {}), session.edits_for[0]
    if session.edits_are_first:
        return
    kept[model] = tuple(edit for edit in session.edits if not isinstance(edit, PatchEdit))
    kept[session.edits_for] = tuple(edit for edit in session.edits if isinstance(edit, PatchEdit))


def _restored(made_for: tuple, trace: Trace) -> tuple[Edit, ...]:
    kept = st.session_state.edits_kept
    try:
        return checked((*kept.get(made_for[0], ()), *kept.get(made_for, ())), trace.config, trace.grid)
    except EditError:  # another checkpoint with the same name and another shape
        return ()


def activation_copies(edits: Iterable[Edit]) -> list[ActivationCopy]:
    """Return the edits that need the second image."""
    return [edit for edit in edits if isinstance(edit, ActivationCopy)]


def _second_mark(mark: str, choice: state.Choice) -> str:
    """Return the mark of the second image; a link needs it only for activation patching."""
    return mark if activation_copies(EDITS.get(choice)) else ""


EDITS = EditsSetting("edits", name="edits")
SECOND = replace(second_image.SECOND, name="second", write=_second_mark, always=True)  # source of activation patching
OPENED = replace(
    VIEW, default=lambda choice: most_moved(choice, EDITS.get(choice), state.trace(choice))
)  # the view; by default of the head whose attention changes most
SETTINGS = (OPENED, EDITS, SECOND)

# ---------------------------------------------------------------- in the session alone

TEMPERATURES = (0.1, 0.2, 0.5, 0.8, 1.25, 2.0, 5.0, 10.0)

TOOL = Setting("intervene_tool", "zero")  # of a click on the board
PATCH_TOOL = Setting("intervene_patch_tool", "keys")  # of a click on the image
TEMPERATURE = Setting("intervene_temperature", 0.5)
LISTED = Setting("intervene_listed", 24)  # maximum number of edits in the list; more buttons make the page slow

SWEPT = Setting("sweep_what", "heads")  # parts to ablate, one at a time
HOW = Setting("sweep_how", "zero")
HOW_PATCH = Setting("sweep_how_patch", "keys")
QUANTITY = Setting("sweep_quantity", "probability")
MEASURED = Setting(
    "sweep_class",
    lambda choice: predictions(state.trace(choice), 1)[0].index,
    valid=lambda index, choice: index < len(state.trace(choice).output),
    per=lambda choice: f"{choice.picked.digest[:8]}_{models.outputs_of(choice.model)}",
)  # class whose probability or logit is measured, per image and set of classes
