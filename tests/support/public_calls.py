"""Valid calls of all public functions, for tests that replace one argument by an invalid one."""

import importlib

import numpy as np
import torch
from PIL import Image

from tests.support.file_calls import file_calls
from tests.support.heads import head_for
from tests.support.walkthrough_calls import walkthrough_calls
from vitviz import images
from vitviz.analysis import ablation, arithmetic, attention, tokens
from vitviz.analysis.attribution import ClassTarget
from vitviz.analysis.classifier import cross_validate
from vitviz.analysis.training import training_curves
from vitviz.model.edits import ActivationCopy, HeadAblation
from vitviz.zoo.heads import head_bytes, hold, with_pooling
from vitviz.zoo.run import Run, RunCheckpoint


def public_calls(small, photo):
    """Public functions and valid arguments, by name."""
    safe = images.read_image(photo)
    prepared = images.prepare(safe, 16, 8)
    other_prepared = images.prepare(images.read_image(Image.new("RGB", (20, 20), "teal")), 16, 8)
    trace, head, pooled = small.trace(prepared), head_for(small), with_pooling(small, "mean")
    stream = tokens.stream(trace)
    places = tokens.patch_positions(trace)
    other = tokens.patch_positions(small.trace(prepared))
    grid = trace.grid
    patches = stream[1:, trace.prefix :]
    score = ablation.class_score(small, 0)
    copied = {ActivationCopy(0, 0).hook: trace.activation(ActivationCopy(0, 0).hook)}
    vectors, labels = np.random.default_rng(0).normal(size=(6, 4)), ["a", "b"] * 3
    training = Run("small", [RunCheckpoint(step, f"{step}.pth", lambda: small) for step in ("step-1", "step-2")])
    over_training = training_curves(training, safe.rgb, size=16)
    named = {
        "vitviz": {
            "capture": {"names": "norm"},
            "cka": {
                "model_a": small,
                "model_b": small,
                "images": [prepared, other_prepared],
                "over": "patches",
                "size": 16,
                "fit": "crop",
                "progress": None,
            },
            "compare": {"trace_a": trace, "trace_b": trace},
            "edit": {"changes": {"norm": torch.zeros_like}},
            "sweep_heads": {"model": small, "trace": trace, "score": score, "how": "zero", "progress": None},
            "sweep_layers": {"model": small, "trace": trace, "score": score, "how": "zero", "progress": None},
            "sweep_patches": {"model": small, "trace": trace, "score": score, "how": "keys", "progress": None},
            "explain": {"model": small, "image": trace, "method": "rollout", "target": ClassTarget(0)},
            "fit_head": {
                "model": small,
                "images": [prepared, other_prepared],
                "labels": ["a", "b"],
                "name": "letters",
                "pooling": "mean",
                "binary": False,
                "inverse_penalty": 1.0,
                "size": 16,
                "fit": "crop",
                "progress": None,
            },
            "first_local_head": {"curves": over_training, "most": 0.5},
            "from_timm": None,  # tests/zoo/test_convert.py
            "lens": {"trace": trace},
            "load": {"name": "digits"},
            "load_run": {"folder": "digits"},
            "match": {"trace_a": trace, "trace_b": trace, "layer": 0, "centred": True},
            "open_head": None,  # needs a file: `methods`
            "open_scan": None,  # needs a folder: `methods`
            "open_trace": None,  # needs a file: `methods`
            "patch_lens": {"trace": trace, "target": 0},
            "scan": None,  # needs a folder: `methods`
            "trace_batch": {
                "model": small,
                "images": [prepared],
                "size": 16,
                "fit": "crop",
                "record": ("norm",),
                "edits": [HeadAblation(0, 0)],
                "batch_size": 2,
                "workers": 1,
                "return_errors": False,
            },
            "training_curves": {
                "run": training,
                "image": safe.rgb,
                "size": 16,
                "fit": "crop",
                "probe_images": [safe.rgb, safe.rgb],
                "progress": None,
            },
        },
        "model.edits": {
            "checked": {"edits": [HeadAblation(0, 0)], "config": small.config, "grid": grid},
            "with_activations_from": {"edits": [ActivationCopy(0, 0)], "values": copied},
        },
        "model.applied_edits": {
            "edit_hooks": {"edits": [HeadAblation(0, 0)], "config": small.config, "grid": grid},
        },
        "zoo.heads": {
            "attached": {"model": small, "head": head},
            "base_of": {"name": "digits"},
            "check_head": {"head": head, "base": small},
            "checked_labels": {"labels": ["a", "b"]},
            "checked_name": {"name": "letters"},
            "head_bytes": {"head": head},
            "held": {"name": "digits"},
            "hold": {"base": "small", "head": head},
            "name_of_file": {"file_name": "letters.safetensors"},
            "preprocessing_of": {"model": small, "size": 16, "fit": "crop"},
            "read_head": {"data": head_bytes(head), "file_name": "letters.safetensors"},
            "thumbnail": {"image": prepared},
            "with_held_head": {"base": small, "name": hold("small", head)[0]},
            "with_pooling": {"model": small, "pooling": "mean"},
        },
        "zoo": {
            "check_opening": {"name": "digits"},
            "is_offered": {"name": "digits"},
            "is_on_disk": {"name": "digits"},
            "load": None,
            "load_offered": None,  # needs a folder: tests/zoo/test_offered.py
            "version": {"name": "digits"},
        },
        "analysis.classifier": {
            "appearance": {"image": prepared},
            "cross_validate": {
                "features": vectors,
                "labels": labels,
                "binary": False,
                "inverse_penalty": 1.0,
                "groups": [0, 0, 1, 1, 2, 2],
                "progress": None,
            },
            "features": {
                "model": small,
                "images": [prepared],
                "pooling": "mean",
                "size": 16,
                "fit": "crop",
                "progress": None,
            },
            "fit": {"features": vectors, "labels": labels, "binary": False, "inverse_penalty": 1.0},
            "nearest_other": {"features": vectors, "labels": labels},
            "notes_on": {"result": cross_validate(vectors, labels), "appearances": vectors},
        },
        "analysis.comparison": {
            "attention_divergence": {"trace_a": trace, "trace_b": trace},
            "by_resemblance": {"values": np.ones((2, 3)), "measure": "cosine", "count": 2},
            "counterparts": {"trace_a": trace, "trace_b": trace},
            "head_resemblance": {
                "trace_a": trace,
                "trace_b": trace,
                "layer": 0,
                "head": 0,
                "measure": "cosine",
                "progress": None,
            },
            "jensen_shannon": {"p": np.ones((2, 1)), "q": np.ones((2, 1))},
            "joint_pca": {"traces": [trace, trace], "layer": 0},
            "linear_cka": {"x": vectors, "y": vectors},
        },
        "analysis.scan.measure": {
            "measure": {"model": small, "images": [prepared], "patch_tokens": [0], "head_statistics": True},
        },
        "analysis.tokens": {
            "attention_share": {"trace": trace, "layer": 0, "tokens": [0, 1]},
            "colours": {"scores": np.zeros((4, 3)), "low": np.zeros(3), "high": np.ones(3)},
            "directions": {"tokens": stream[0], "centred": True},
            "norms": {"stages": stream},
            "outliers": {"trace": trace, "layer": 0, "times": 3.0, "num_stds": 5.0},
            "outliers_in": {"token_norms": np.ones(7), "prefix": 3, "times": 3.0, "num_stds": 5.0},
            "pca_of_layers": {"patches": patches, "together": False, "grid": grid, "swap": False},
            "patch_positions": {"trace": trace, "max_patches": 3},
            "position_probe": {"images": [places, other], "penalty": 0.1, "progress": None},
            "principal": {"points": stream[0], "count": 2},
            "assemble_probe": {"images": [places, other], "r2": [np.zeros(2)] * len(stream), "penalty": 0.1},
            "project": {"points": stream[0][:5], "method": "pca", "progress": None},
            "position_r2": {"images": [places, other], "stage": 1, "penalty": 0.1},
            "received": {"trace": trace, "layer": 0},
            "ridge": {"x": np.eye(3), "y": np.eye(3)[:, :2], "penalty": 0.1},
            "similarity": {"tokens": stream[0], "of": 1, "centred": False},
            "stream": {"trace": trace},
        },
        "analysis.attribution": {"explain": None, "register": None},
        "analysis.attribution.faithfulness": {
            "baseline_pixels": {"trace": trace, "kind": "mean"},
            "curves": {
                "model": small,
                "trace": trace,
                "attribution_map": np.zeros(grid),
                "target": ClassTarget(0),
                "baseline": "mean",
                "steps": 2,
                "progress": None,
            },
            "endpoints": {"model": small, "trace": trace, "target": ClassTarget(0), "baseline": "mean"},
            "lowest_baseline": {"model": small, "trace": trace, "target": ClassTarget(0)},
            "random_curves": {
                "model": small,
                "trace": trace,
                "target": ClassTarget(0),
                "baseline": "mean",
                "steps": 2,
                "seeds": 1,
                "progress": None,
            },
        },
        "analysis.ablation": {
            "class_score": {"model": small, "index": 0, "quantity": "logit"},
            "distance": {"trace": trace},
            "sweep_heads": None,
            "sweep_layers": None,
            "sweep_patches": None,
        },
        "analysis.logit_lens": {
            "cosines": {"outputs": np.ones((2, 3)), "target": np.ones(3)},
            "depth_label": {"depth": 1},
            "lens": None,
            "patch_lens": None,
        },
        "analysis.alike": {
            "alike": {"first": pooled.trace(prepared), "second": pooled.trace(other_prepared), "progress": None},
            "is_sum_of_patches": {"config": small.config},
        },
        "analysis.default_view": {"default_view": {"trace": trace}},
        "analysis.predictions": {
            "class_index": {"model": small, "chosen": 0},
            "class_name": {"model": small, "index": 0},
            "predictions": {"trace": trace, "count": 2},
            "probabilities": {"model": small, "logits": np.zeros(5)},
        },
        "analysis.arithmetic": {
            "activated": {"x": np.zeros(3), "activation": "gelu"},
            "norm_output": {"norm": arithmetic.normed(np.ones(3), torch.nn.LayerNorm(3)), "x": np.ones(3)},
            "cosines": {"x": np.ones((2, 3)), "to": np.ones((2, 3))},
            "normed": {"x": np.ones(3), "norm": torch.nn.LayerNorm(3)},
            "optional_norm": {"x": np.ones(3), "norm": torch.nn.LayerNorm(3)},
            "numbers": {"tensor": torch.zeros(3)},
            "softmax": {"scores": np.ones(3)},
            "softmax_with_temperature": {"scores": np.ones(3), "temperature": 0.5},
            "rotated": {"x": np.ones((3, 4)), "angles": np.ones((3, 2))},
            "unit": {"x": np.ones((2, 3))},
        },
        "analysis.attention": {
            "head_statistics": {"trace": trace},
            "log_sums": {"trace": trace},
            "patch_distances": {"grid": grid, "patch": 8},
            "received_weights": {"trace": trace, "layer": 0, "token": 0, "sums": attention.log_sums(trace)},
            "row_entropy": {"weights": torch.ones(3)},
            "row_statistics": {"trace": trace},
        },
        **walkthrough_calls(small, trace, over_training),
        **file_calls(small, trace, safe, prepared),
    }
    return {
        f"{module}.{name}": (
            getattr(importlib.import_module(f"vitviz.{module}" if module != "vitviz" else module), name),
            arguments,
        )
        for module, functions in named.items()
        for name, arguments in functions.items()
        if arguments is not None
    }
