"""Registration of the built-in methods, in the order shown on screen."""

from .gradient_attention import GradientAttention
from .integrated_gradients import IntegratedGradients
from .last_attention import LastAttention
from .legrad import LeGrad
from .method import METHODS, register
from .occlusion import Occlusion
from .rollout import Rollout

__all__ = ["METHODS"]

for _kind in (LastAttention, Rollout, GradientAttention, LeGrad, IntegratedGradients, Occlusion):
    register(_kind())
