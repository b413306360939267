"""The formulas on the page "Attention": evaluated with PyTorch, they give the model's own numbers."""

import re

import numpy as np
import pytest
import torch

from tests.support.explained_traces import ALL, explained
from vitviz.analysis import arithmetic
from vitviz.model.layers import ACTIVATIONS
from vitviz.ui.pages.attention import formulas
from vitviz.ui.widgets import symbols
from vitviz.walkthrough.steps import block_by_hand, record_layer

LAYER, HEAD, QUERY = 1, 0, 3


def as_python(tex):
    """The right side of a formula as a Python expression."""
    plain = re.sub(r"\\mathrm\{(\w+)\}", r"\1", tex.split("=", 1)[1])
    for sign, written in {
        r"\left(": "(",
        r"\right)": ")",
        r"\odot": "*",
        r"\,": " @ ",
        "@W_": "W_",
        "@X'": "after",
        "@X": "X",
    }.items():
        plain = plain.replace(sign, written)
    return plain


def evaluated(tex, **names):
    """The value of a formula, with these names."""
    with torch.no_grad():
        return np.asarray(eval(as_python(tex), names))


def close(found, wanted):
    return np.abs(found - wanted).max() <= 1e-3 * np.abs(wanted).max()


@pytest.fixture(params=ALL)
def kind(request):
    """A trace, its block by hand, and the block itself."""
    trace = explained(request.param)
    return trace, block_by_hand(trace, LAYER, HEAD, QUERY, 1), trace.model.blocks[LAYER]


def test_residual_sums_are_the_models(kind):
    trace, by_hand, block = kind
    recorded, config = record_layer(trace, LAYER), trace.config
    name = formulas.NORMS[config.norm]

    def attention(x):
        return block.attn(x, trace.grid, trace.model.rotations(trace.grid)[LAYER])

    x, after = (torch.tensor(recorded[part])[None] for part in ("resid_pre", "resid_mid"))
    names = {"X": x, "attention": attention, name: block.norm1, "LS": block.ls1}
    tex = formulas.attention_sublayer(by_hand, config)
    assert close(evaluated(tex, **names)[0], recorded["resid_mid"])
    assert ("LS" in tex) == bool((block.ls1.gamma != 1).any())
    norm = block.norm1 if config.block == "parallel" else block.norm2
    tex = formulas.mlp_sublayer(by_hand, config)
    names = {"X": x, "after": after, "MLP": block.mlp, name: norm, "LS": block.ls2}
    assert close(evaluated(tex, **names)[0], recorded["resid_post"])


def test_the_mlp_is_the_models(kind):
    trace, by_hand, block = kind
    mlp, config, gated = block.mlp, trace.config, trace.config.mlp == "gated"
    first = mlp.fc1_x if gated else mlp.fc1
    tex = formulas.mlp(by_hand.mlp, config)
    names = {
        "x": torch.tensor(by_hand.mlp.entered).float()[None],
        formulas.ACTIVATIONS[config.activation]: ACTIVATIONS[config.activation],
        "W_1": first.weight.T,
        "b_1": first.bias,
        "W_2": mlp.fc2.weight.T,
        "b_2": mlp.fc2.bias,
        **({"W_g": mlp.fc1_g.weight.T, "b_g": mlp.fc1_g.bias} if gated else {}),
        **({formulas.NORMS[config.norm]: mlp.norm} if config.mlp_norm else {}),
    }
    assert close(evaluated(tex, **names)[0], by_hand.mlp.result)
    assert ("W_g" in tex) == gated


def test_queries_keys_and_values_are_the_models(kind):
    trace, by_hand, block = kind
    head, config, recorded = by_hand.head, trace.config, record_layer(trace, LAYER)
    tex = formulas.queries_keys_values(head, config)
    assert (r"\mathrm{R}" in tex) == (config.rope is not None)
    lines = tex.removeprefix(r"\begin{aligned}").removesuffix(r"\end{aligned}").replace("&", "").split(r" \\ ")
    norms = [block.norm1] * (config.block != "post")
    for part, line in zip("qkv", lines, strict=True):
        assert line.startswith(f"@{part} =")
        if config.qk_norm and part != "v":
            assert line.count(formulas.NORMS[config.norm]) == len(norms) + 1
            continue
        made = {"q": head.w_q, "k": head.w_k, "v": head.w_v}[part]
        names = {
            "x": torch.tensor(recorded["resid_pre"]),
            formulas.NORMS[config.norm]: block.norm1,
            "R": lambda x: arithmetic.rotated(x.numpy(), head.angles),
            f"W_{part.upper()}": torch.tensor(made.weight),
            f"b_{part.upper()}": torch.tensor(made.bias),
        }
        assert close(evaluated(line, **names), recorded[f"attn.{part}"][HEAD])


def test_the_output_of_all_heads_has_the_parts_of_the_model(kind):
    trace, by_hand, _ = kind
    tex, config = formulas.attention(by_hand), trace.config
    assert rf"z_{{{config.num_heads}}}" in tex
    assert ("b_O" in tex) == bool(by_hand.w_o.bias.any())
    assert tex.count(r"\mathrm{") == 1 + config.attention_norm + min(config.num_heads, 3) * config.differential


def test_the_scores_are_the_models(kind):
    trace, by_hand, _ = kind
    head, config, recorded = by_hand.head, trace.config, record_layer(trace, LAYER)
    halves = 2 if config.differential else 1
    q, k = (recorded[f"attn.{part}"][HEAD, token] for part, token in (("q", QUERY), ("k", head.key)))
    names = {"sqrt": np.sqrt, "b": None if head.bias is None else float(head.bias[head.key])}
    for place, (one, other) in enumerate(zip(np.split(q, halves), np.split(k, halves), strict=True), start=1):
        end = f"_{place}" if config.differential else ""
        names |= {f"q{end}": torch.tensor(one), f"k{end}": torch.tensor(other)}
    lines = formulas.score(head, config.head_dim // halves).split(r",\quad ")
    assert len(lines) == halves
    wanted = np.atleast_1d(trace.scores(LAYER, HEAD, QUERY, head.key))
    for line, score in zip(lines, wanted, strict=True):
        assert (" + b" in line) == config.relative_position_bias
        assert close(evaluated(_as_quotient(line), **names), score)


def _as_quotient(tex):
    """A score with its fraction and dot product as in Python."""
    plain = tex.replace("@", "").replace(r"\cdot", "@")
    return re.sub(r"\\frac\{([^{}]*)\}\{\\sqrt\{(\d+)\}\}", r"((\1) / sqrt(\2))", plain)


def test_every_formula_is_drawn_with_known_symbols(kind):
    trace, by_hand, _ = kind
    drawn = (
        formulas.sequence_shape(trace.prefix, 12, 24),
        formulas.norm(trace.config),
        formulas.queries_keys_values(by_hand.head, trace.config),
        formulas.score(by_hand.head, 8),
        formulas.attention(by_hand),
        formulas.attention_sublayer(by_hand, trace.config),
        formulas.mlp_sublayer(by_hand, trace.config),
        formulas.mlp(by_hand.mlp, trace.config),
    )
    for tex in drawn:
        assert "@" not in symbols.formula(tex)
        assert tex.count("{") == tex.count("}")
