"""Valid calls of all public functions, for tests that replace one argument by an invalid one."""

import importlib
import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from tests.support.heads import head_for
from vitviz import VisionTransformer, images
from vitviz.analysis import ablation, arithmetic, attention, tokens
from vitviz.analysis.attribution import ClassTarget
from vitviz.analysis.classifier import cross_validate
from vitviz.analysis.training import training_curves
from vitviz.model.config import RoPE
from vitviz.model.edits import ActivationCopy, HeadAblation
from vitviz.notation import view
from vitviz.viz import export
from vitviz.viz.colour import Style
from vitviz.walkthrough import steps
from vitviz.walkthrough.checks import Check
from vitviz.zoo.heads import head_bytes, hold
from vitviz.zoo.run import Run, RunCheckpoint


def weights(trace):
    return trace.attention(0, 0, 0)


def public_calls(small, photo):
    """Public functions and valid arguments, by name."""
    safe = images.read_image(photo)
    prepared = images.prepare(safe, 16, 8)
    other_prepared = images.prepare(images.read_image(Image.new("RGB", (20, 20), "teal")), 16, 8)
    trace, head = small.trace(prepared), head_for(small)
    turning = VisionTransformer(replace(small.config, rope=RoPE()), "turning")
    relative = VisionTransformer(replace(small.config, num_registers=0, relative_position_bias=True), "relative")
    looked = view.View(1, 0)
    about = export.metadata(trace, looked, "cat.jpg", "small", "crop")
    stream = tokens.stream(trace)
    places = tokens.patch_positions(trace)
    other = tokens.patch_positions(small.trace(prepared))
    recording = steps.record_layer(trace, 0)
    grid, names = trace.grid, [view.token_label(trace, token) for token in range(trace.token_count)]
    patches = stream[1:, trace.prefix :]
    score = ablation.class_score(small, 0)
    copied = {ActivationCopy(0, 0).hook: trace.activation(ActivationCopy(0, 0).hook)}
    row = weights(trace)
    vectors, labels = np.random.default_rng(0).normal(size=(6, 4)), ["a", "b"] * 3
    training = Run("small", [RunCheckpoint(step, f"{step}.pth", lambda: small) for step in ("step-1", "step-2")])
    over_training = training_curves(training, safe.rgb, size=16)
    named = {
        "vitviz": {
            "capture": {"names": "norm"},
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
        "model.edits": {
            "checked": {"edits": [HeadAblation(0, 0)], "config": small.config, "grid": grid},
            "with_activations_from": {"edits": [ActivationCopy(0, 0)], "values": copied},
        },
        "model.applied_edits": {
            "edit_hooks": {"edits": [HeadAblation(0, 0)], "config": small.config, "grid": grid},
        },
        "analysis.ablation": {
            "class_score": {"model": small, "index": 0, "quantity": "logit"},
            "distance": {"trace": trace},
            "sweep_heads": None,
            "sweep_layers": None,
            "sweep_patches": None,
        },
        "notation.edits": {
            "parse_edits": {"text": "h1.1z", "config": small.config, "grid": grid},
            "edit_label": {"edit": HeadAblation(0, 0), "config": small.config, "grid": grid},
            "format_edits": {"edits": [HeadAblation(0, 0)], "config": small.config, "grid": grid},
        },
        "walkthrough.steps": {
            "block_by_hand": {"trace": trace, "layer": 0, "head": 0, "query": 0, "key": 0},
            "block_steps": {"recording": recording, "head": 0, "query": 0, "key": 0},
            "has_layer_scale": {"model": small},
            "head_steps": {"recording": recording, "head": 0, "query": 0, "key": 0},
            "record_layer": {"trace": trace, "layer": 0},
            "readout_by_hand": {"trace": trace},
            "what_if_temperature": {"scores": np.zeros((2, 3)), "temperature": 1.0, "lam": 0.5},
        },
        "walkthrough.sequence": {
            "all_position_similarities": {"model": small, "grid": grid},
            "block_cost": {"config": small.config, "tokens": 5},
            "embedded": {"trace": trace, "token": 0},
            "features": {"trace": trace, "order": np.arange(math.prod(grid))},
            "filter_responses": {"trace": trace, "dimension": 0},
            "filters": {"model": small},
            "flattened": {"pixels": np.zeros((2, 2, 3))},
            "flat_index": {"row": 0, "column": 0, "channel": 0, "patch": 2, "channels": 3},
            "patch_matrix": {"trace": trace},
            "patch_pixels": {"trace": trace, "patch": 0},
            "unflatten_index": {"index": 0, "patch": 2, "channels": 3},
            "position_similarity": {"model": small, "grid": grid, "token": 0},
            "position_embedding": {"model": small, "grid": grid},
            "prefix_tokens": {"model": small},
            "has_bias": {"model": small},
            "principal_filters": {"model": small, "count": 2},
            "project": {"trace": trace, "patch": 0, "dimension": 0},
            "projection": {"model": small},
            "rearranged": {"pixels": np.zeros((4, 4, 3)), "order": np.arange(4), "patch": 2},
            "relative_bias": {"model": relative, "grid": grid, "token": 0, "layer": 0, "head": 0},
            "rotary_angles": {"model": turning, "grid": grid, "layer": 0, "head": 0},
            "rotary_similarity": {"model": turning, "grid": grid, "patch": 0, "layer": 0, "head": 0},
            "sequence": {"trace": trace},
            "shuffled": {"trace": trace, "seed": 0, "original": None},
            "sequence_sizes": {"height": 8, "width": 8, "patch": 2, "channels": 3, "embed_dim": 4, "prefix": 1},
        },
        "walkthrough.worksheet": {
            "chosen_patches": {"patches": 6, "first": 1, "count": 2},
            "dot_product": {"trace": trace, "layer": 0, "head": 0, "query": trace.prefix},
            "head_order": {"trace": trace, "query": trace.prefix, "means": np.ones((trace.layers, trace.heads))},
            "other_sizes": {"trace": trace},
            "prediction": {"trace": trace, "layer": 0, "head": 0, "query": trace.prefix},
            "worksheets": {"trace": trace, "layer": 0, "head": 0, "patch": 1, "count": 1, "means": None},
        },
        "walkthrough.soft_dictionary": {
            "ngrams": {"word": "cat", "n": 2},
            "similarities": {"query": "cat", "keys": ["cat", "dog"], "n": 2},
            "soft_lookup": {"query": "cat", "keys": ["cat"], "values": [1.0], "temperature": 0.1, "n": 2},
            "vectors": {"words": ["cat", "dog"], "n": 2},
        },
        "walkthrough.receptive_field": {
            "at_depth": {"layer": 0, "layers": 2, "patch": 4},
            "convolutions": {"count": 2, "patch": 4},
            "covered_share": {"side": 3.0, "x": 8.0, "y": 8.0, "width": 16, "height": 16},
            "receptive_field": {"layers": [(3, 1)]},
            "resnet50": {"stride_in": "first"},
        },
        "analysis.logit_lens": {
            "cosines": {"outputs": np.ones((2, 3)), "target": np.ones(3)},
            "depth_label": {"depth": 1},
            "lens": None,
            "patch_lens": None,
        },
        "viz.figures": {
            "colour_limit": {"weights": np.ones((3, 3))},
            "by_layer": {
                "values": np.ones((3, 2)),
                "unit": "px",
                "layer": 0,
                "head": 0,
                "uniform": 0.5,
                "uniform_label": "uniform",
            },
            "describe_concentration": {"weights": row, "names": names, "direction": "from", "signed": False},
            "matrix": {"weights": np.ones((3, 3)), "prefix": 1, "limit": 1.0, "signed": False},
            "sorted_weights": {"weights": row, "names": names, "prefix": 3, "uniform": 0.1},
        },
        "viz.export": {
            "arrays_npz": {"trace": trace, "view": looked, "about": about},
            "caption": {"trace": trace, "view": looked, "about": about},
            "captioned": {
                "image": Image.new("RGB", (9, 9)),
                "text": "a",
                "about": about,
                "colours": np.zeros((9, 3)),
                "kind": "webp",
                "min_width": 300,
            },
            "captioned_png": {
                "image": Image.new("RGB", (9, 9)),
                "text": "a",
                "about": about,
                "colours": np.zeros((9, 3)),
            },
            "file_stem": {"view": looked, "about": about},
            "metadata": {
                "trace": trace,
                "view": looked,
                "image_name": "a",
                "model_title": "b",
                "fit": "crop",
                "style": Style(),
            },
            "overlay_picture": {"trace": trace, "view": looked, "picture": Image.new("RGB", (9, 9))},
            "overlay_png": {"trace": trace, "view": looked, "picture": Image.new("RGB", (9, 9)), "about": about},
            "safe_name": {"text": "a", "default": "b"},
            "stem": {"image": "a.png", "layer": 1, "head": 0, "token": "cls", "to": True},
        },
        "viz.colour": {
            "colour_map": {"scale": "relative", "signed": False},
            "Style": {"opacity": 50, "smooth": True, "marks": True},
            "css_gradient": {"scale": "relative", "signed": False, "opacity": 0.5},
            "colour_bar_labels": {"weights": row, "scale": "relative", "signed": False},
            "overlay": {
                "picture": Image.new("RGB", (9, 9)),
                "tones": np.zeros((3, 3)),
                "scale": "relative",
                "opacity": 0.5,
                "signed": False,
                "smooth": True,
            },
            "on_neutral": {"scale": "relative", "opacity": 0.5, "signed": False},
            "overlay_map": {"scale": "relative", "signed": False},
            "paint": {"tones": np.zeros((3, 3)), "scale": "relative", "signed": False, "over": True},
            "plotly_scale": {"scale": "relative", "stops": 3, "signed": False},
            "tone": {"weights": row, "scale": "uniform", "tokens": 7, "largest": 1.0, "signed": False},
        },
        "analysis.default_view": {"default_view": {"trace": trace}},
        "notation.view": {
            "View": {"layer": 0, "head": 0, "query": 0, "direction": "from", "scale": "relative"},
            "has_pool": {"trace": trace},
            "default_token": {"trace": trace},
            "token_layout": {"trace": trace},
            "pooling_note": {"config": small.config},
            "scales": {"trace": trace},
            "strongest_patch": {"trace": trace, "weights": row},
            "token_label": {"trace": trace, "token": 0},
            "token_phrase": {"trace": trace, "token": 0},
            "noun_phrase": {"label": "class token"},
        },
        "walkthrough.quiz": {
            "attention_questions": {"trace": trace, "layer": 0, "head": 0, "query": 0},
            "local_head_question": {"curves": over_training},
            "sequence_questions": {"trace": trace, "patch": 0},
        },
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
        "viz.overview": {
            "attention_overview": {"trace": trace, "query": 0, "side": 8},
            "input_picture": {"trace": trace},
            "overview_png": {"trace": trace, "about": {"image": "cat"}, "query": 0, "side": 8},
        },
        "viz.picture": {
            "frame_patch": {
                "picture": Image.new("RGB", (9, 9)),
                "grid": (3, 3),
                "row": 0,
                "column": 1,
                "colour": "#d96a00",
            },
            "middle_square": {"image": safe, "side": 20},
            "original_with_crop": {"image": safe, "prepared": prepared, "longest": 20},
            "sharp_picture": {"image": safe, "prepared": prepared, "longest": 20},
        },
        "viz.inline": {
            "data_url": {"picture": Image.new("RGB", (9, 9))},
            "png": {"image": Image.new("RGB", (9, 9))},
            "text": {"data": b"a"},
        },
        "walkthrough.checks": {"worst": {"checks": [Check("it", 1.0, 1.0)]}},
        "notation.marks": {
            "percent": {"share": 0.5},
            "capital": {"text": "a"},
            "parse_class": {"text": "1", "count": 2},
            "head_in_name": {"mark": "4"},
            "format_head": {"head": 0},
            "layer_in_name": {"mark": "12"},
            "format_layer": {"layer": 0, "config": small.config},
            "format_patch": {"row": 0, "column": 0},
            "parse_number": {"text": "1", "count": 2, "otherwise": "mean"},
            "parse_head": {"text": "1", "layer": 0, "config": small.config},
            "parse_layer": {"text": "1", "config": small.config},
            "join_words": {"words": ["a", "b"], "last": "or"},
            "one_of": {"allowed": ["a", "b"]},
            "format_size": {"size": (16, 24)},
            "parse_size": {"text": "16x24"},
            "format_token": {"token": 0, "trace": trace},
            "parse_token": {"text": "1-1", "trace": trace},
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
            "is_offered": {"name": "digits"},
            "is_on_disk": {"name": "digits"},
            "load": None,
            "load_offered": None,  # needs a folder: tests/zoo/test_offered.py
            "version": {"name": "digits"},
        },
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
