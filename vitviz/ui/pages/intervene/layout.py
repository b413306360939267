"""Layout of image, board, output and edit list: all visible on a laptop screen, stacked on a phone."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

PLACES = ("picture", "board", "answer", "changes")  # in the order on a phone
NARROW = 8  # maximum number of heads of a board with room for the output beside it


def places(heads: int) -> dict[str, DeltaGenerator]:
    """Return the four containers, laid out for a board with this number of heads."""
    shape = "bench_narrow" if heads <= NARROW else "bench_wide"
    with st.container(key="bench"), st.container(key=shape):
        return {place: st.container(key=f"bench_{place}") for place in PLACES}


_AREAS = "\n".join(
    f".st-key-bench > * > * > :has(> .st-key-bench_{place}) {{ grid-area: {place}; min-width: 0; }}" for place in PLACES
)
STYLE = f"""<style>
.st-key-bench {{ container-type: inline-size; }}
.st-key-bench h2 {{ font-size: 1.15rem; padding-top: 0; }}
.st-key-bench_board, .st-key-bench_picture {{ gap: 0.6rem; }}
.st-key-bench_answer, .st-key-bench_changes {{ gap: 0.4rem; }}
/* Constant height, whether empty, one line or two. */
.st-key-bench_changes .st-key-undoing {{ min-height: 3.5rem; flex-wrap: nowrap; }}
.st-key-bench_changes .st-key-undoing button {{ padding: 0.2rem; white-space: nowrap; }}
.st-key-bench_answer [data-testid="stCaptionContainer"] {{ min-height: 6.6rem; }} /* five lines in wide fonts */
.st-key-intervene_patch_tool [role="radiogroup"] {{ flex-wrap: wrap; }}
.st-key-edits button {{ justify-content: flex-start; min-height: 1.7rem; padding: 0.1rem 0; text-align: left; }}
.st-key-edits button > div {{ justify-content: flex-start; }}
.st-key-sweep_what button {{ min-height: 2.5rem; }} /* height of the boxes beside it */
@container (min-width: 37rem) {{
  .st-key-bench_narrow, .st-key-bench_wide {{ display: grid; gap: 1rem 1.5rem; align-items: start; }}
  {_AREAS}
  .st-key-bench_narrow {{
    grid-template: "picture board" auto "changes answer" auto / minmax(0, 15rem) minmax(0, 1fr);
  }}
  .st-key-bench_wide {{
    grid-template: "picture board" auto "answer board" auto "changes board" 1fr / minmax(0, 15rem) minmax(0, 1fr);
  }}
}}
@container (min-width: 54rem) {{
  .st-key-bench_narrow {{
    grid-template: "picture board answer" auto "picture board changes" 1fr
      / minmax(0, 14fr) minmax(0, 24fr) minmax(0, 17fr);
  }}
}}
</style>"""
