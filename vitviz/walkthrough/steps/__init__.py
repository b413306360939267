"""One head's attention and the block around it, by hand: every stage with its ingredients, in plain numpy.

heard = listen(trace, layer=11)                          # one forward pass; keep it for other heads and patches
head = head_steps(heard, head=3, query=120, key=7)       # norm, q k v, scores, softmax, weighted sum
block = block_steps(heard, head=3, query=120, key=7)     # the same, then all heads, W_O, residual, MLP
block.checks["resid_post"].error                         # how far that is from what the model computed
    readout_by_hand(trace).output                            # final norm, pooling, classifier
"""

from .attention import HeadSteps, head_steps, what_if_temperature
from .block import BlockSteps, block_by_hand, block_steps
from .mlp import MlpSteps
from .readout import PoolSteps, ReadoutSteps, readout_by_hand
from .recording import Recording, listen

__all__ = [
    "BlockSteps",
    "HeadSteps",
    "MlpSteps",
    "PoolSteps",
    "ReadoutSteps",
    "Recording",
    "block_by_hand",
    "block_steps",
    "head_steps",
    "listen",
    "readout_by_hand",
    "what_if_temperature",
]
