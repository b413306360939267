"""Step-by-step computation of a head, a block and the readout in plain numpy, with all intermediate results.

    recording = record_layer(trace, layer=11)                 # one forward pass; reuse it for other heads and tokens
    head = head_steps(recording, head=3, query=120, key=7)    # norm, q k v, scores, softmax, weighted sum
    block = block_steps(recording, head=3, query=120, key=7)  # the head, then all heads, W_O, residual, MLP
    block.checks["resid_post"].error                          # difference from the model's result
    readout_by_hand(trace).output                             # final norm, pooling, classifier

Each result has `checks`, which compare it with the model's own activations.
"""

from .attention import HeadSteps, head_steps, what_if_temperature
from .block import BlockSteps, block_by_hand, block_steps, has_layer_scale
from .mlp import MlpSteps
from .readout import PoolSteps, ReadoutSteps, readout_by_hand
from .recording import Recording, record_layer

__all__ = [
    "BlockSteps",
    "HeadSteps",
    "MlpSteps",
    "PoolSteps",
    "ReadoutSteps",
    "Recording",
    "block_by_hand",
    "block_steps",
    "has_layer_scale",
    "head_steps",
    "readout_by_hand",
    "record_layer",
    "what_if_temperature",
]
