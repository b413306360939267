"""Cached outputs of the logit lens, shared by all users. No result keeps a model in memory."""

from __future__ import annotations

import numpy as np

from ....analysis.logit_lens import Lens, lens, patch_lens
from ....analysis.logit_lens import LensTarget as TargetValue
from ....model.hooks import residual_stream_names
from ....trace.trace import Trace
from ...app import state
from ...app.activations import with_activations
from ...app.cache import cached


def image_outputs(choice: state.Choice) -> Lens:
    """Return the output that the model would have after each layer."""
    trace = _recorded(choice)
    return Lens(trace.model, _outputs(choice.key, trace))


def patch_outputs(choice: state.Choice, key: tuple, target: TargetValue | None) -> np.ndarray:
    """Return the target's value read from each patch alone, float32 [1 + layer, row, column].

    Args:
        choice: image and model.
        key: cache key of the target.
        target: see `vitviz.patch_lens`.
    """
    return _maps(choice.key, key, _recorded(choice), target)


def _recorded(choice: state.Choice) -> Trace:
    """Return the trace with its residual stream recorded."""
    return with_activations(choice, *residual_stream_names(state.trace(choice).layers))


@cached()
def _outputs(key: tuple, _trace: Trace) -> np.ndarray:
    with state.one_at_a_time:
        return lens(_trace).outputs


@cached("Computing the lens of every patch …")
def _maps(key: tuple, target_key: tuple, _trace: Trace, _target: TargetValue | None) -> np.ndarray:
    with state.one_at_a_time:
        return patch_lens(_trace, _target)
