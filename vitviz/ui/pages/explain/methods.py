"""The methods in plain words: what each computes, whose it is, and what can be chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ....analysis.attribution.faithfulness import BASELINES
from ....analysis.attribution.occlusion import cover_places
from ....model.config import ViTConfig
from ....notation.marks import percent
from ....notation.view import has_pool
from ....trace.trace import Trace

LAST = -1
BACKWARD = 3.0  # forward passes that a pass and the way back take
REFINED = 4  # times as many steps as at first are usual until integrated gradients are complete
FEW_STEPS = 8  # of a coarse map of integrated gradients
WIDE = (8, 4, 2)  # patches, sides of the covers of coarse maps; each takes a quarter of the next one's passes
Chosen = Mapping[str, Any]  # a method's parameters by their names


@dataclass(frozen=True)
class Parameter:
    """Something to choose about a method.

    Attributes:
        name: as the library calls it.
        label: as people do.
        default: what it is until somebody chooses.
        options: what it can be, for a model and an image and what else is chosen.
        words: an option in words.
        mark: an option in a link.
    """

    name: str
    label: str
    default: Any
    options: Callable[[Trace, Chosen], Sequence]
    words: Callable[[Any], str] = str
    mark: Callable[[Any], str] = str


@dataclass(frozen=True)
class Method:
    """A method as the page tells of it.

    Attributes:
        title: what it is called.
        what: what it computes, in plain words, for a model.
        paper: whose it is, in Markdown.
        unit: what its numbers are.
        quick: whether it is there at once; else it is computed when somebody asks for it.
        targeted: whether it explains a target.
        parameters: what can be chosen.
        say: how one of its numbers is written.
    """

    title: str
    what: Callable[[ViTConfig], str]
    paper: str
    unit: str
    quick: bool = True
    targeted: bool = True
    parameters: tuple[Parameter, ...] = ()
    say: Callable[[float], str] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "say", self.say or three_digits)


def three_digits(value: float) -> str:
    """A number with three digits that matter: `"−0.0123"`."""
    return f"{value:.3g}".replace("-", "−")


def seconds(value: float) -> str:
    """A time in words: `"12 ms"` or `"3.4 s"`."""
    return f"{value:.1f} s" if value >= 1 else f"{1000 * value:.0f} ms" if value >= 0.001 else "< 1 ms"


def all_defaults() -> dict[str, dict[str, Any]]:
    """The parameters of all methods until somebody chooses others."""
    return {name: {one.name: one.default for one in method.parameters} for name, method in METHODS.items()}


def fitted(method: str, chosen: Chosen, trace: Trace) -> dict[str, Any]:
    """The parameters as far as this model and image have them; defaults for the others."""
    found = {}
    for one in METHODS[method].parameters:
        options = one.options(trace, {**chosen, **found})
        found[one.name] = chosen[one.name] if chosen[one.name] in options else one.default
    return found


def passes(method: str, parameters: Chosen, trace: Trace) -> tuple[int, float]:
    """Approximate number of steps of a slow method, and the cost of each against a forward pass."""
    if method == "occlusion":
        return len(cover_places(trace.grid, parameters["window"], parameters.get("stride", 1))), 1.0
    refined = 1 if "completeness" in parameters else REFINED
    return refined * parameters["steps"], BACKWARD


def coarser(method: str, parameters: Chosen, trace: Trace) -> list[dict[str, Any]]:
    """Changed parameters of a slow method for maps that are there sooner, the quickest first."""
    if method == "integrated_gradients":
        return [{"steps": FEW_STEPS, "completeness": None}] if parameters["steps"] > FEW_STEPS else []
    sides = [side for side in WIDE if parameters["window"] < side <= min(trace.grid) // 2]
    return [{"window": side, "stride": side} for side in sides]


def coarse_words(method: str, parameters: Chosen) -> str:
    """Parameter that makes a map a coarse one."""
    name = "steps" if method == "integrated_gradients" else "window"
    return next(one for one in METHODS[method].parameters if one.name == name).words(parameters[name])


def parameter_words(method: str, parameters: Chosen) -> str:
    """The parameters of a method in words, such as `"mean of the heads, 0 % discarded"`."""
    return ", ".join(one.words(parameters[one.name]) for one in METHODS[method].parameters)


def _looking(config: ViTConfig) -> str:
    """Who looks where the output is read, and that it looks."""
    return {
        "token": "the class token looks",
        "mean": f"{'all tokens' if config.pool_prefix and config.prefix else 'all patches'} look, on average,",
        "token+mean": "the class token and, on average, the patches look",
        "attention": "the pooling looks with its learned query",
        "distilled": "class and distillation token look, on average,",
    }[config.pooling]


def _attention(config: ViTConfig) -> str:
    other = "; in other layers, where what it reads looks" if config.pooling == "attention" else " in one layer"
    return f"Where {_looking(config)}{other}. These are the weights themselves; they say nothing about a target."


def _rollout(config: ViTConfig) -> str:
    return (
        f"How much of each patch reaches {_output(config)} if attention only mixed tokens: the attention of all "
        "layers, multiplied, with half of each token staying as it is. Values, MLPs and the target are left out."
    )


def _output(config: ViTConfig) -> str:
    return "what the pooling finds" if config.pooling == "attention" else config.pooling_words


def _gradient_attention(config: ViTConfig) -> str:
    return (
        "The attention of each layer, weighted with how much the target would rise with it; what would lower the "
        "target is left out. The layers are then followed up to the output, as in rollout."
    )


def _legrad(config: ViTConfig) -> str:
    where = (
        "the pooling's attention to the tokens of each layer"
        if config.pooling == "attention"
        else ("the attention of each layer")
    )
    return f"How much the target would rise with {where}, added up over all layers and scaled to run from 0 to 1."


def _integrated_gradients(config: ViTConfig) -> str:
    return (
        "Goes step by step from an image without content to this one and adds up the target's gradient on the way. "
        "The numbers of all patches sum to how much the target differs between the two images."
    )


def _occlusion(config: ViTConfig) -> str:
    return "Covers one place after the other and measures how much the target drops. No gradient, only forward passes."


def _layers(trace: Trace, _: Chosen) -> list[int]:
    """-1 is the model's last attention: that of its pooling, if that has one, which comes after all layers."""
    return [*range(trace.layers if has_pool(trace) else trace.layers - 1), LAST]


def _heads(trace: Trace, chosen: Chosen) -> list[int | None]:
    count = trace.config.pool_heads if has_pool(trace) and chosen["layer"] == LAST else trace.heads
    return [None, *range(count)]


def _paper(words: str, address: str) -> str:
    return f"[{words}](https://arxiv.org/abs/{address})"


def _layer_words(layer: int) -> str:
    return "last layer" if layer == LAST else f"layer {layer + 1}"


def _head_words(head: int | None) -> str:
    return "mean of the heads" if head is None else f"head {head + 1}"


def _layer_mark(layer: int) -> str:
    return "last" if layer == LAST else str(layer + 1)


def _head_mark(head: int | None) -> str:
    return "mean" if head is None else str(head + 1)


def baseline_words(baseline: str) -> str:
    """What stands for an image without content."""
    return {"blur": "blurred image", "mean": "mean colour"}[baseline]


def _baseline(label: str, default: str, before: str) -> Parameter:
    return Parameter("baseline", label, default, lambda *_: BASELINES, lambda kind: f"{before} {baseline_words(kind)}")


_FUSION = Parameter(
    "head_fusion", "Heads", "mean", lambda *_: ("mean", "max", "min"), lambda fusion: f"{fusion} of the heads"
)
_DISCARD = Parameter(
    "discard_ratio",
    "Smallest weights",
    0.0,
    lambda *_: [tenth / 10 for tenth in range(10)],
    lambda share: f"{share:.0%} discarded".replace("%", " %"),
)
_STEPS = Parameter("steps", "Steps on the way", 32, lambda *_: (8, 16, 32, 64, 128), lambda steps: f"{steps} steps")
_WINDOW = Parameter(
    "window",
    "Covered at a time",
    1,
    lambda trace, _: range(1, min(4, *trace.grid) + 1),
    lambda side: f"{side} × {side} patches" if side > 1 else "1 patch",
)

METHODS = {
    "attention": Method(
        "Attention",
        _attention,
        _paper("Caron et al. 2021 (DINO), section 4.2", "2104.14294"),
        "share of attention",
        targeted=False,
        parameters=(
            Parameter("layer", "Layer", LAST, _layers, _layer_words, _layer_mark),
            Parameter("head", "Head", None, _heads, _head_words, _head_mark),
        ),
        say=percent,
    ),
    "rollout": Method(
        "Rollout",
        _rollout,
        _paper("Abnar & Zuidema 2020, section 4", "2005.00928"),
        "share of the output",
        targeted=False,
        parameters=(_FUSION, _DISCARD),
        say=percent,
    ),
    "gradient_attention": Method(
        "Gradient × attention",
        _gradient_attention,
        _paper("Chefer et al. 2021, section 3.1", "2103.15679"),
        "relevance, without unit",
    ),
    "legrad": Method("LeGrad", _legrad, _paper("Bousselham et al. 2024, section 3", "2404.03214"), "relevance, 0 to 1"),
    "integrated_gradients": Method(
        "Integrated gradients",
        _integrated_gradients,
        _paper("Sundararajan et al. 2017, equation 1", "1703.01365"),
        "part of the target",
        quick=False,
        parameters=(_STEPS, _baseline("Start", "blur", "from")),
    ),
    "occlusion": Method(
        "Occlusion",
        _occlusion,
        _paper("Zeiler & Fergus 2014, section 4.2", "1311.2901"),
        "drop of the target",
        quick=False,
        parameters=(_WINDOW, _baseline("Cover", "mean", "by")),
    ),
}
