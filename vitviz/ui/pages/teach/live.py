"""Live probabilities of a head from the camera. Frames and their results are not kept."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ....errors import VitvizError
from ....images import read_image
from ....zoo.heads import LinearHead
from ...app import models, state
from ...components.live_camera import Answer, live_camera
from . import image_features, taught_head

_ANSWER = "teach_live_answer"  # key in the session
ROOM = 1.15  # short side of a frame, relative to the input of the model


@st.fragment  # so that the rest of the page does not run for each frame
def draw(choice: state.Choice, head: LinearHead) -> None:
    """Draw the live camera.

    Args:
        choice: model and preprocessing.
        head: head that was fitted on this model.
    """
    setup = taught_head.setup_of(choice, head)
    side = round(ROOM * min(models.pixels(setup.size)))
    live_camera(st.session_state.get(_ANSWER), side=side, on_frame=partial(_answer, setup, head), key="teach_live")


def _answer(setup: image_features.FeatureSetup, head: LinearHead, frame: bytes) -> None:
    """Store the probabilities of a frame, which is prepared as an uploaded image is."""
    try:
        feature = image_features.of_image(setup, read_image(frame))
        st.session_state[_ANSWER] = Answer(taught_head.of_feature(head, feature))
    except VitvizError as error:
        st.session_state[_ANSWER] = Answer(problem=str(error))
