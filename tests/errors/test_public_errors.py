"""Every public function, called with every kind of invalid argument, raises an error of one readable sentence."""

import inspect
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from PIL import Image

import vitviz
from tests.support.checkpoints import prefixed, saved
from tests.support.public_calls import public_calls
from tests.support.public_methods import methods
from vitviz import ArgumentError, VisionTransformer, ViTConfig, VitvizError
from vitviz.analysis import (
    ablation,
    alike,
    arithmetic,
    attention,
    attribution,
    classifier,
    comparison,
    logit_lens,
    predictions,
    tokens,
)
from vitviz.analysis.ablation import sweep
from vitviz.analysis.attribution import ClassTarget, SimilarityTarget, faithfulness
from vitviz.analysis.scan import measure
from vitviz.errors.arguments import shown
from vitviz.model import hooks
from vitviz.model.config import Resampling, RoPE
from vitviz.model.edits import (
    ActivationCopy,
    ActivationPatch,
    HeadAblation,
    KeyMask,
    PatchAblation,
    SublayerAblation,
    Temperature,
    checked,
)
from vitviz.notation import edits as notation
from vitviz.notation import marks, queries, view
from vitviz.viz import colour, export, figures, inline, overview, picture, scan_figures
from vitviz.walkthrough import checks, sequence, steps, worksheet
from vitviz.walkthrough import quiz as questions
from vitviz.walkthrough import receptive_field as receptive
from vitviz.walkthrough import soft_dictionary as lookup
from vitviz.zoo import heads

# What nobody has a use for, or nearly nobody: a call may take one of these and work, but it may not raise what is not
# meant for people.
WRONG = {
    "nothing": None,
    "a text": "x²",
    "no text": "",
    "a long text": "x" * 10**5,
    "a text of no file": "a\0b",
    "markup": "[a](javascript:b) :material/x: $y$ <b>\n\x1b[31m",
    "bytes": b"\x00",
    "below 0": -1,
    "far below 0": -(10**6),
    "zero": 0,
    "a huge number": 10**30,
    "too many digits": 10**5000,
    "a half": 0.5,
    "a negative half": -0.5,
    "not a number": math.nan,
    "infinite": math.inf,
    "a truth": True,
    "an empty list": [],
    "a list": [1, 2],
    "a ragged list": [[1], [2, 3]],
    "words": ["a", "b"],
    "a pair": (-1, 2),
    "zeros": (0, 0),
    "a dictionary": {},
    "a dictionary of others": {"x": object()},
    "an object": object(),
    "a class": int,
    "a function": len,
    "no numbers": np.zeros(0),
    "a number in an array": np.array(1.5),
    "numbers that are none": np.full((2, 2), np.nan),
    "infinite numbers": np.full(3, np.inf),
    "texts in an array": np.array(["a", "b"]),
    "objects in an array": np.array([None, object()], dtype=object),
    "a long shape": np.zeros((1, 2, 3, 2, 1)),
    "complex numbers": np.zeros(3, complex),
    "a tensor": torch.zeros(2, 3, requires_grad=True),
    "a picture": Image.new("L", (3, 3)),
}
COUNTED = {  # arguments that are an index: out of range they raise an IndexError, as Python's own lists do
    *("layer", "head", "query", "key", "token", "patch", "dimension", "of", "stage", "tokens", "row", "column"),
    *("channel", "first", "index", "target", "edits", "layers", "view", "col", "chosen", "score"),
}


@pytest.fixture(scope="module")
def calls(small, photo):
    return public_calls(small, photo)


NAMES = {
    "vitviz": vitviz,
    "analysis.scan.measure": measure,
    "analysis.tokens": tokens,
    "analysis.attribution": attribution,
    "analysis.classifier": classifier,
    "analysis.comparison": comparison,
    "analysis.attribution.faithfulness": faithfulness,
    "analysis.ablation": ablation,
    "notation.edits": notation,
    "walkthrough.steps": steps,
    "walkthrough.sequence": sequence,
    "walkthrough.soft_dictionary": lookup,
    "walkthrough.receptive_field": receptive,
    "analysis.logit_lens": logit_lens,
    "viz.figures": figures,
    "viz.scan_figures": scan_figures,
    "analysis.alike": alike,
    "viz.export": export,
    "viz.colour": colour,
    "notation.view": view,
    "walkthrough.quiz": questions,
    "analysis.predictions": predictions,
    "analysis.arithmetic": arithmetic,
    "analysis.attention": attention,
    "viz.overview": overview,
    "viz.picture": picture,
    "viz.inline": inline,
    "walkthrough.checks": checks,
    "walkthrough.worksheet": worksheet,
    "notation.marks": marks,
    "notation.queries": queries,
    "zoo.heads": heads,
}


def public_functions():
    """Public functions of the modules: those in `__all__`, or else those defined without `_`."""
    for name, module in NAMES.items():
        offered = getattr(module, "__all__", None) or [
            key
            for key, value in vars(module).items()
            if not key.startswith("_") and getattr(value, "__module__", "") == module.__name__
        ]
        for key in offered:
            value = getattr(module, key)
            if callable(value) and not inspect.isclass(value):
                yield f"{name}.{key}"


ELSEWHERE = {  # what tests of their own drive, or is one of the others
    *(
        "vitviz.from_timm",
        "vitviz.open_head",
        "vitviz.open_scan",
        "vitviz.open_trace",
        "vitviz.scan",
        "analysis.attribution.explain",
        "analysis.classifier.fit_head",
        "analysis.comparison.cka",
        "analysis.comparison.compare",
        "analysis.comparison.match",
        "analysis.attribution.register",
        "analysis.ablation.sweep_heads",
        "analysis.ablation.sweep_layers",
        "analysis.ablation.sweep_patches",
        "zoo.heads.open_head",
        "analysis.logit_lens.lens",
        "analysis.logit_lens.patch_lens",
    ),
}
DRIVEN = sorted(
    {
        *public_functions(),
        *("notation.view.View", "zoo.is_offered", "zoo.is_on_disk", "zoo.version"),
    }
    - ELSEWHERE
)


def run(function, arguments):
    """Call a function; enter its result if it is a context manager, read it if it is a generator."""
    if function is hooks.capture:
        function, arguments = lambda names: hooks.capture(names), dict(arguments)
    try:
        result = function(**arguments)
    except ValueError as error:
        if isinstance(error, VitvizError) or function.__module__ not in (
            "vitviz.notation.marks",
            "vitviz.notation.queries",
        ):
            raise
        assert isinstance(arguments["text"], str), "only a text says, as the rest of a sentence, what it can be"
        return None
    if hasattr(result, "__enter__"):
        with result:
            pass
    if inspect.isgenerator(result):
        list(result)
    return result


def check_message(error):
    said = str(error)
    assert said, "it says nothing"
    assert len(said) < 500, said[:500]
    assert "\n" not in said, said
    assert "\x1b" not in said, said
    assert " at 0x" not in said, said
    assert isinstance(error, IndexError) or said.endswith((".", ".)")), said


METHODS = {
    "LinearHead": " save",
    "Trace": "activation activations rerun attention attention_rows head_index heatmap keys queries row_sum scores "
    "token_index tokens save save_html show with_recorded",
    "VisionTransformer": " embed forward grid_of positions trace trace_batch",
    "callbacks": "AttentionCallback AttentionCallback.on_epoch_end AttentionCallback.on_step_end "
    "AttentionCallback.record FolderWriter LogWriter TensorBoardWriter",
    "images": "Preprocessing Preprocessing.for_channels Geometry.is_padding Geometry.patch_box as_picture check_size "
    "normalise prepare read_image",
    "trace": "trace trace_batch",
    "vitviz": "from_timm open_head open_scan open_trace scan",
    "zoo": "can_reach_hub facts is_loaded load load_offered search shared",
}
METHODS = [f"{kind}.{name}".rstrip(".") for kind, names in METHODS.items() for name in names.split(" ")]


@pytest.fixture(scope="module")
def others(small, photo, original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("offered")
    path = saved(folder / "best.pth", prefixed(original.state_dict(), "model."))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VITVIZ_CHECKPOINT_DIR", str(folder))
        yield methods(small, photo, path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METHODS)
def test_a_wrong_argument_of_a_method_is_refused_in_a_sentence(name, others):
    assert others.keys() == set(METHODS)
    function, arguments = others[name]
    if name != "zoo.load_offered":  # its file leaves open how many heads there are
        function(**arguments)
    for argument in arguments:
        drive(lambda value, argument=argument: function(**{**arguments, argument: value}), argument)


SHAPES = {
    "config": ViTConfig(image_size=(2, 2), patch_size=1, embed_dim=4, depth=1, num_heads=1, head_dim=4, mlp_dim=2),
    "rope": RoPE(),
    "resampling": Resampling(),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("part", SHAPES)
def test_a_wrong_field_of_a_configuration_is_refused_in_a_sentence(part, small):
    for field in fields(SHAPES[part]):

        def call(value, field=field.name):
            changed = replace(SHAPES[part], **{field: value})
            config = changed if part == "config" else replace(SHAPES["config"], **{part: changed})
            VisionTransformer(config).trace(torch.zeros(config.in_chans, 2, 3))

        drive(call, field.name)


def drive(call, argument):
    """Call a function with every invalid value in place of one argument."""
    for kind, value in WRONG.items():
        if callable(value) and argument == "progress":
            continue  # not wrong, and what it raises is the caller's own
        try:
            call(value)
        except (VitvizError, IndexError) as error:
            check_message(error)
            if isinstance(error, IndexError) and argument not in COUNTED:
                pytest.fail(f"{argument} = {kind} raised {error!r}")
        except BaseException as error:
            pytest.fail(f"{argument} = {kind} raised {type(error).__name__}: {error}"[:500])


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", DRIVEN)
def test_a_wrong_argument_is_refused_in_a_sentence(name, calls):
    function, arguments = calls[name]
    if function not in (hooks.capture, hooks.edit):
        run(function, arguments)
    for argument in arguments:
        drive(lambda value, argument=argument: run(function, {**arguments, argument: value}), argument)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", DRIVEN)
def test_numbers_of_numpy_are_numbers(name, calls):
    function, arguments = calls[name]
    kinds = {int: np.int64, float: np.float32, bool: np.bool_}
    changed = {key: kinds.get(type(value), lambda value: value)(value) for key, value in arguments.items()}
    if function not in (hooks.capture, hooks.edit):
        run(function, changed)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (HeadAblation, {"layer": 0, "head": 0, "how": "zero"}),
        (SublayerAblation, {"layer": 0, "sublayer": "mlp", "how": "zero"}),
        (KeyMask, {"token": 3}),
        (PatchAblation, {"token": 3}),
        (Temperature, {"layer": 0, "head": 0, "value": 0.5}),
        (ActivationCopy, {"layer": 0, "head": 0, "sublayer": "attention"}),
        (ActivationPatch, {"layer": 0, "head": 0, "sublayer": "attention", "values": np.zeros((7, 8))}),
    ],
)
def test_a_wrong_edit_is_refused_in_a_sentence(make, arguments, small):
    make(**arguments)
    for argument in arguments:

        def call(value, argument=argument):
            checked([make(**{**arguments, argument: value})], small.config, (2, 2))

        drive(call, argument)


PARAMETERS = {
    "attention": {"head": 0, "layer": 0},
    "rollout": {"head_fusion": "mean", "discard_ratio": 0.1},
    "gradient_attention": {},
    "legrad": {"tokens": "mean"},
    "integrated_gradients": {"baseline": "mean", "steps": 1},
    "occlusion": {"window": 1, "baseline": "mean"},
}


@pytest.mark.parametrize("method", attribution.METHODS)
def test_a_wrong_parameter_of_a_method_is_refused_in_a_sentence(method, small):
    trace = small.trace(torch.zeros(3, 16, 16))
    given = PARAMETERS[method]
    for argument in given:

        def call(value, argument=argument):
            attribution.explain(small, trace, method=method, **{**given, argument: value})

        drive(call, argument)


@pytest.mark.parametrize(("make", "of"), [(ClassTarget, "index"), (SimilarityTarget, "feature")])
def test_a_wrong_target_is_refused_in_a_sentence(make, of, small):
    trace = small.trace(torch.zeros(3, 16, 16))

    def call(value):
        target = make(value) if make is ClassTarget else make(value, "it")
        attribution.explain(small, trace, method="gradient_attention", target=target)

    drive(call, of)


@pytest.mark.parametrize("each", [sweep.each_head, sweep.each_layer, sweep.each_patch])
def test_a_sweep_that_goes_on_in_the_wrong_place(each, small):
    trace = small.trace(torch.zeros(3, 16, 16))
    for value in (-1, "x", None, 0.5):
        with pytest.raises(ArgumentError):
            list(each(small, trace, ablation.class_score(small, 0), begin=value))


def test_who_caught_a_value_error_before_still_does():
    with pytest.raises(ValueError, match="umap"):
        tokens.project(np.eye(4), "umap")
    with pytest.raises(ValueError, match="two"):
        tokens.position_probe([])
    with pytest.raises(ValueError, match="from 0"):
        steps.what_if_temperature(np.zeros(3), -1)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "3"),
        (np.float32(0.5), "0.5"),
        ("a\nb", r"'a\nb'"),
        (None, "None"),
        ([1], "a list"),
        (np.zeros(3), "an array"),
        (10**5000, "a number with very many digits"),
    ],
    ids=lambda value: shown(value)[:20],
)
def test_how_a_value_is_repeated(value, said):
    assert shown(value) == said
    assert len(shown("x" * 999)) < 100
