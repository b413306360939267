"""What the page "Lens" shares between visitors. Nothing here keeps a model or its weights in memory."""

from __future__ import annotations

import numpy as np

from ....analysis.logit_lens import Asked, Lens, lens, patch_lens
from ....model.hooks import residual_stream_names
from ....trace.trace import Trace
from ...app import state
from ...app.activations import with_activations
from ...app.cache import cached


def whole(choice: state.Choice) -> Lens:
    """What the model would return after each layer."""
    trace = _recorded(choice)
    return Lens(trace.model, _outputs(choice.key, trace))


def by_patch(choice: state.Choice, name: tuple, target: Asked | None) -> np.ndarray:
    """What it would say of the target, read from each patch alone, float32 [1 + layer, row, column].

    Args:
        choice: image and model.
        name: what identifies the target.
        target: see `vitviz.patch_lens`.
    """
    return _maps(choice.key, name, _recorded(choice), target)


def _recorded(choice: state.Choice) -> Trace:
    """The trace with its residual stream at hand."""
    return with_activations(choice, *residual_stream_names(state.trace(choice).layers))


@cached()
def _outputs(key: tuple, _trace: Trace) -> np.ndarray:
    with state.one_at_a_time:
        return lens(_trace).outputs


@cached("Reading every patch …")
def _maps(key: tuple, name: tuple, _trace: Trace, _target: Asked | None) -> np.ndarray:
    with state.one_at_a_time:
        return patch_lens(_trace, _target)
