"""Result of `vitviz compare` for two models: CKA of their layers, heads that resemble a head, and what changed."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ..analysis.comparison import Cka, Comparison, by_resemblance, compare, head_resemblance
from ..analysis.comparison.changes import ROUNDING, near_one
from ..analysis.comparison.resemblance import Measure
from ..trace.trace import Trace
from ..viz.colour import colour_map, paint
from ..viz.provenance import of_model
from .result import DEFAULT_SIDE, Result, TracedImage, as_npz, base_facts

MOST_LISTED = 5  # heads
MEASURE_WORDS = {
    "cosine": "a cosine similarity of {:.3f}",
    "jensen_shannon": "a Jensen-Shannon divergence of {:.3f} bits",
}
PANEL_WORDS = {"cosine": "cosine similarity", "jensen_shannon": "Jensen-Shannon divergence"}
BACKGROUND = (128, 128, 128)


def models_result(
    a: TracedImage, b: TracedImage, similarity: Cka, layer: int, head: int, measure: Measure, gap: int
) -> tuple[Result, tuple[str, ...]]:
    """Compare two models; returns the result and sentences on it.

    Args:
        a: image traced by the first model.
        b: the same image traced by the second model.
        similarity: CKA of the layers on all images.
        layer: layer of the first model, from 0.
        head: head of that layer, from 0.
        measure: measure of the resemblance of heads.
        gap: pixels between the two maps.
    """
    resemblance = head_resemblance(a.trace, b.trace, layer, head, measure=measure)
    change = compare(a.trace, b.trace) if _same_shape(a.trace, b.trace) else None
    listed = [
        {"layer": at + 1, "head": of + 1, measure: float(resemblance[at, of])}
        for at, of in by_resemblance(resemblance, measure, MOST_LISTED)
    ]
    top = listed[0]
    sentences = (
        _on_layers(similarity),
        f"Head {top['head']} of layer {top['layer']} of the second model resembles head {head + 1} of layer "
        f"{layer + 1} of the first most, with {MEASURE_WORDS[measure].format(top[measure])}.",
        *(change.sentences() if change else ()),
    )
    facts = [base_facts(image) for image in (a, b)]
    about = {
        "image": a.path.name,
        "models": [one["model"] for one in facts],
        "settings": [of_model(image.trace.model) for image in (a, b)],
        "input": [one["input"] for one in facts],
        "grid": [one["grid"] for one in facts],
        "fit": [one["fit"] for one in facts],
        "counted_from": 1,
        "layer": layer + 1,
        "head": head + 1,
        "measure": measure,
        "cka_images": similarity.images,
        "cka_samples": similarity.samples,
    }
    arrays = {"cka": similarity.values, "resemblance": resemblance} | (_arrays(change) if change else {})
    right = "resemblance" if change is None or change.attention is None else "attention_divergence"
    panel = (
        "change of each head's attention (divergence in bits, layers down, heads across)"
        if right == "attention_divergence"
        else f"{PANEL_WORDS[measure]} of each head and head {head + 1} of layer {layer + 1} (layers down, heads across)"
    )
    result = Result(
        facts=about
        | {"resembling": listed}
        | {name: _plain(values) for name, values in arrays.items()}
        | _output(change),
        caption=sentences[0],
        values={},
        about=about,
        text=f"Left: linear CKA of the layers of {facts[0]['model']} (down) and {facts[1]['model']} (across). "
        f"Right: {panel}. Colour: 0 to 1. {' '.join(sentences)} {a.path.name}, counted from 1. vitviz.",
        colours=colour_map("raw"),
        draw=lambda: _drawn(similarity.values, arrays[right], a.width, gap),
        npz=lambda: as_npz(about, **arrays),
    )
    return result, sentences


def _on_layers(similarity: Cka) -> str:
    values = np.nan_to_num(similarity.values, nan=-np.inf)
    known = np.flatnonzero(np.isfinite(values).any(axis=1))
    if not len(known):
        return "The layers have no CKA, because the patches of a model do not differ."
    best = values.argmax(axis=1)
    least = int(known[values[known].max(axis=1).argmin()])
    most = float(values[least, best[least]])
    number = "1 image" if similarity.images == 1 else f"{similarity.images} images"
    basis = f"({number}, {similarity.samples} patches)"
    if most >= 1 - ROUNDING:
        return f"For each layer of the first model, a layer of the second has a linear CKA of {near_one(most)} {basis}."
    return (
        f"Layer {least + 1} of the first model is the one least like any layer of the second: its linear CKA is at "
        f"most {near_one(most)}, with layer {best[least] + 1} {basis}."
    )


def _same_shape(a: Trace, b: Trace) -> bool:
    """Return True if the models may be two checkpoints of one architecture, at one input size."""
    shapes = [
        (t.layers, t.heads, t.prefix, t.grid, t.config.embed_dim, t.config.mlp_dim, t.image.geometry) for t in (a, b)
    ]
    return shapes[0] == shapes[1]


def _arrays(change: Comparison) -> dict[str, np.ndarray]:
    arrays = {
        "attention_divergence": change.attention,
        "token_cosine": change.token_cosine,
        "token_change": change.token_change,
        "token_cka": change.token_cka,
        "weight_change": change.weights,
    }
    return {name: values for name, values in arrays.items() if values is not None}


def _output(change: Comparison | None) -> dict:
    if change is None or change.output is None:
        return {}
    output = change.output
    top = {
        name: {"prediction": one.label, "confidence": one.probability}
        for name, one in (("before", output.before), ("after", output.after))
        if one
    }
    return {"output": {"cosine": _plain(output.cosine), "relative_norm": _plain(output.relative_norm)} | top}


def _plain(values: np.ndarray | float) -> list | float | None:
    """Return numbers for JSON, None in place of NaN."""
    values = np.asarray(values, float)
    if values.ndim:
        return [_plain(one) for one in values]
    return float(values) if np.isfinite(values) else None


def _drawn(left: np.ndarray, right: np.ndarray, width: int | None, gap: int) -> Image.Image:
    """Draw two maps beside each other, at one height."""
    side = width or (DEFAULT_SIDE - gap) // 2
    maps = [Image.fromarray(paint(np.clip(np.nan_to_num(values), 0, 1), "raw")) for values in (left, right)]
    maps = [one.resize((side, side), Image.Resampling.NEAREST) for one in maps]
    page = Image.new("RGB", (2 * side + gap, side), BACKGROUND)
    page.paste(maps[0], (0, 0))
    page.paste(maps[1], (side + gap, 0))
    return page
