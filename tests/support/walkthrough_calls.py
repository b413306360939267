"""Valid calls of the public functions in `vitviz.walkthrough`; see `public_calls`."""

import math
from dataclasses import replace

import numpy as np

from vitviz import VisionTransformer
from vitviz.model.config import RoPE
from vitviz.walkthrough import steps
from vitviz.walkthrough.checks import Check


def walkthrough_calls(small, trace, over_training):
    """Valid arguments, by module and function, for a model, a trace of it and curves of a training run."""
    turning = VisionTransformer(replace(small.config, rope=RoPE()), "turning")
    relative = VisionTransformer(replace(small.config, num_registers=0, relative_position_bias=True), "relative")
    recording, grid = steps.record_layer(trace, 0), trace.grid
    return {
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
        "walkthrough.quiz": {
            "attention_questions": {"trace": trace, "layer": 0, "head": 0, "query": 0},
            "local_head_question": {"curves": over_training},
            "sequence_questions": {"trace": trace, "patch": 0},
        },
        "walkthrough.checks": {"worst": {"checks": [Check("it", 1.0, 1.0)]}},
    }
