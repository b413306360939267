"""Choice of the token that the page follows: a patch, or a prefix token, which has no pixels."""

from __future__ import annotations

from functools import partial

import streamlit as st

from ....notation.view import token_label, token_phrase
from ....trace.trace import Trace
from ...app.settings import bound
from ..lesson.followed_token import follow_patch, follow_prefix_token, followed_patch, followed_token
from ..lesson.sections import patch_number


def choose_followed(trace: Trace) -> None:
    """Draw the choice between the patch and the prefix tokens, if the model has any."""
    if not trace.prefix:
        return
    patch = trace.prefix + patch_number(trace, followed_patch(trace))
    bound(
        st.pills,
        "Follow",
        [patch, *range(trace.prefix)],
        key="followed",
        value=followed_token(trace),
        take=partial(follow_row, trace.prefix, trace.grid[1]),
        format_func={token: token_label(trace, token) for token in (patch, *range(trace.prefix))}.get,
        required=True,
    )


def follow_row(prefix: int, columns: int, token: int) -> None:
    """Follow the token of a row of the sequence. A callback, so it holds no trace."""
    if token < prefix:
        follow_prefix_token(token)
    else:
        follow_patch(*divmod(token - prefix, columns))


def follows_a_patch(trace: Trace, part: str) -> bool:
    """Return True if the page follows a patch; otherwise, say that the token has no pixels, and offer a patch.

    Args:
        trace: trace of the image.
        part: identity of the section on the page.
    """
    token = followed_token(trace)
    if token >= trace.prefix:
        return True
    row, column = followed_patch(trace)
    with st.container(key=f"no_pixels_{part}"):
        st.markdown(
            f"The page follows **{token_phrase(trace, token)}**, which has no pixels: it is a learned vector, the same "
            "for every image."
        )
        label = f"Follow patch ({row + 1}, {column + 1})"
        st.button(label, key=f"follow_a_patch_{part}", on_click=follow_patch, args=(row, column))
    return False
