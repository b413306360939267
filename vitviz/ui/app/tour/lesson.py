"""Lesson from the image to the explorer, in nineteen stops. The texts depend on the model."""

from __future__ import annotations

from ....model.config import ViTConfig
from ....trace.vision_transformer import VisionTransformer
from ....walkthrough.sequence import has_bias
from ....walkthrough.steps import has_layer_scale
from ....zoo import run_names
from .stops import (
    ATTENTION,
    CHOSEN_ROW,
    EXPLORER,
    HEAD,
    HEADS,
    KEYS,
    MAP,
    MATRIX,
    MODEL_BOX,
    OWN_IMAGE,
    PICTURE,
    REVERSE,
    ROWS,
    Stop,
    first_figure,
    heading,
    image_of,
)


def lesson(config: ViTConfig, model: VisionTransformer | None = None) -> tuple[Stop, ...]:
    """Return all stops, in order. Their number is the same for every model, so that links to stops fit all models.

    Args:
        config: configuration of the model.
        model: the model, for what its configuration does not tell: whether the projection of patches has a bias,
            outputs of attention are scaled, and the outputs are classes. By default, there is no bias and no
            LayerScale, and outputs with names of classes are classes.
    """
    one = config.depth * config.num_heads == 1
    return (
        Stop(
            "sequence",
            "From your image to the output",
            "A Vision Transformer reads a sequence of vectors. The map shows every step of this model, and where you "
            "are. Two pages compute the steps from your image; you can check each calculation.",
            ".st-key-part_input",
            MAP,
        ),
        Stop(
            "sequence",
            "Patches",
            f"{_squares(config)} From here on, both pages follow one of them.",
            ".st-key-part_splitting",
            image_of(PICTURE),
            "Choose a patch in the image: click or tap it, or use arrow keys and Enter.",
            PICTURE,
            ("row", "column"),
        ),
        *_token(config, model is not None and has_bias(model)),
        _positions(config),
        Stop(
            "sequence",
            "The sequence",
            f"All tokens are now rows of one matrix with {config.embed_dim} columns. It enters the first "
            f"block{', after one more norm' if config.pre_norm else ''}.",
            ".st-key-part_sequence",
            ROWS,
            "Point at a row, tap one, or use arrow keys: its patch is highlighted.",
            MATRIX,
            ("row",),
            small=CHOSEN_ROW,
        ),
        Stop(
            "sequence",
            "Larger or smaller patches",
            "Halving the side gives four times as many patches, and about sixteen times as many attention weights.",
            ".st-key-part_what_if",
            ".st-key-what_if_patch",
            hint="Choose another P.",
            watch=".st-key-part_what_if",
        ),
        Stop(
            "attention",
            "A soft dictionary lookup",
            "Attention is a dictionary that always returns a result: it compares the query with every key, and "
            "averages the values, weighted by the softmax of the similarities.",
            ".st-key-part_idea",
            ".st-key-dictionary_query",
            "Type another word with a spelling mistake and press Enter, or change the temperature.",
            ".st-key-part_idea .vv-table",
        ),
        Stop(
            "attention",
            "Query, key and value",
            f"Each head computes three vectors of {config.head_dim} numbers from every token: its query, its key and "
            "its value.",
            ".st-key-part_qkv",
            *_another_head(config),
        ),
        Stop(
            "attention",
            "Scores",
            _score(config),
            ".st-key-part_scores",
            image_of(KEYS),
            "Choose a patch in this image to see the calculation of its score, number by number.",
            KEYS,
            ("second",),
        ),
        Stop(
            "attention",
            "Scores become weights",
            "Softmax turns scores into weights. "
            + (
                "This model subtracts one set of weights from another, so some are negative."
                if config.differential
                else "They are positive and sum to 1, so a larger weight for one token reduces those of the others."
            ),
            ".st-key-part_softmax",
            ".st-key-what_if_temperature",
            "Change the temperature: the weights range from a single token to uniform."
            if config.differential
            else "Predict what a higher temperature does to the largest weight; then change it.",
            ".st-key-what_if_temperature",
            small=".st-key-predict_temperature",
        ),
        Stop(
            "attention",
            "The output of a head",
            f"The output of the head is the sum of all values, times their weights. {_after_the_heads(config, model)}",
            ".st-key-part_values",
            first_figure(".st-key-part_values"),
        ),
        Stop(
            "attention",
            "Block after block",
            f"{'Beside' if config.block == 'parallel' else 'After'} attention, an MLP is applied to each token "
            f"separately. {_depth(config)} {_end(config, model)}",
            ".st-key-part_network",
            first_figure(".st-key-part_network"),
        ),
        Stop(
            "attention",
            "Global attention",
            "A convolution sees only its neighbourhood; a head can attend to any patch, from the first layer on. The "
            "circles show the mean attention distance of the heads.",
            ".st-key-part_reach",
            first_figure(".st-key-part_reach"),
            hint="Move through the layers, from the first to the last." if config.depth > 1 else None,
            watch=".st-key-part_reach" if config.depth > 1 else None,
        ),
        Stop(
            "explore",
            "Point and look",
            "The explorer shows all of this at once. Point at a patch; the colours show what it attends to.",
            ".st-key-explorer",
            ATTENTION,
            "Point at a patch, tap one, or use the arrow keys.",
            EXPLORER,
            ("query",),
        ),
        Stop(
            "explore",
            "Every head of every layer",
            "Each small map is one head. Some attend to neighbouring patches, some to similar content elsewhere, and "
            "some always to the same patches.",
            ".st-key-explorer",
            HEADS,
            None if one else "Choose a small map to show its head in the large image.",
            None if one else EXPLORER,
            () if one else ("layer", "head"),
            small=HEAD,
            under=ATTENTION,
        ),
        REVERSE,
        _training(model),
        Stop(
            "explore",
            "Now with your own image",
            "Drop an image, take a photo, or draw, and choose another model. The address bar is always a link to the "
            "current view.",
            ".st-key-explorer",
            OWN_IMAGE,
        ),
    )


def _training(model: VisionTransformer | None) -> Stop:
    """Return the stop about the training run, with a hint if a run of the model ships with vitviz."""
    title, text = (
        "Watch it learn",
        "Before training, heads look nearly uniformly. When does the first head become local?",
    )
    if model is None or not run_names(model.name):
        text += " Models with a training run, such as Digits, have a switch “Training” in the sidebar."
        return Stop("explore", title, text, ".st-key-explorer", MODEL_BOX)
    return Stop(
        "explore",
        title,
        text,
        ".st-key-explorer",
        ".st-key-training_shown, [data-testid=stExpandSidebarButton]",
        "Switch on “Training” in the sidebar, and play. The question below the curves checks your answer.",
        ".st-key-training",
    )


def _squares(config: ViTConfig) -> str:
    side = f"{config.patch_size} × {config.patch_size} pixels"
    if config.stem:
        return f"Each square of {side} will have one token."
    return f"The image is divided into squares of {side}."


def _token(config: ViTConfig, bias: bool) -> tuple[Stop, Stop]:
    """Return the two stops from pixels to a token."""
    if config.stem:
        return (
            Stop(
                "sequence",
                "Convolutional stem",
                "In this model, a convolutional network processes the whole image before there are tokens.",
                ".st-key-part_flattening",
                heading(".st-key-part_flattening"),
            ),
            Stop(
                "sequence",
                "From pixels to a token",
                f"A linear projection maps each position of its feature map to a token of {config.embed_dim} numbers.",
                ".st-key-part_projection",
                heading(".st-key-part_projection"),
            ),
        )
    return (
        Stop(
            "sequence",
            "A patch is a vector of numbers",
            f"Pixel by pixel, channel by channel, the patch becomes one vector of "
            f"{config.patch_size**2 * config.in_chans} numbers.",
            ".st-key-part_flattening",
            ".st-key-vector_index",
            "Move the slider to see the pixel of each number.",
            ".st-key-vector_index",
        ),
        Stop(
            "sequence",
            "From pixels to a token",
            f"The model has {config.embed_dim} learned filters of the size of a patch. Each number of a token is the "
            f"dot product of one filter with the patch{', plus a bias' if bias else ''}."
            f"{' A norm of the whole token follows.' if config.patch_norm else ''}",
            ".st-key-part_projection",
            ".st-key-dimension",
            "Move the slider to see the filter of each number.",
            ".st-key-dimension",
        ),
    )


def _positions(config: ViTConfig) -> Stop:
    sentences = [
        "A learned position embedding is added to every token." if config.position_embedding else "",
        "Queries and keys are rotated by angles that depend on their position (RoPE)." if config.rope else "",
        "A learned relative position bias is added to every score." if config.relative_position_bias else "",
    ]
    positions = " ".join(filter(None, sentences)) or "This model has no information about positions."
    return Stop(
        "sequence",
        "Positions",
        f"For a Transformer, the input is a set without an order. {positions}",
        ".st-key-part_positions",
        ".st-key-shuffle",
        "Predict what happens if the patches are shuffled.",
        ".st-key-shuffle",
    )


def _score(config: ViTConfig) -> str:
    bias = ", plus a learned bias for the offset of the two tokens" if config.relative_position_bias else ""
    if config.differential:
        return (
            "Query and key consist of two halves. Each half has a score: the dot product of the two, divided by "
            f"√(d/2){bias}."
        )
    return (
        f"The score is the dot product of the query and a token's key, divided by √d{bias}. Large scores give large "
        "weights."
    )


def _after_the_heads(config: ViTConfig, model: VisionTransformer | None) -> str:
    scaled = ", multiplied by learned factors (LayerScale)" if model is not None and has_layer_scale(model) else ""
    if config.num_heads == 1:
        return f"It is mapped by the output projection{scaled}, and added to the token."
    return (
        f"The outputs of all {config.num_heads} heads are concatenated, mapped by the output projection{scaled}, and "
        "added to the token."
    )


def _another_head(config: ViTConfig) -> tuple[str | None, ...]:
    """Return target, hint and watched element, with a hint only if there are several heads."""
    if config.num_heads == 1:
        return (heading(".st-key-part_qkv"), None, None)
    return (".st-key-attention_head", "Choose another head to see its vectors.", ".st-key-attention_head")


def _depth(config: ViTConfig) -> str:
    return f"The model has {config.depth} such blocks." if config.depth > 1 else "This model has one such block."


def _end(config: ViTConfig, model: VisionTransformer | None) -> str:
    is_classifier = config.num_classes > 0 if model is None else model.is_classifier
    output = "logits of the classes are" if is_classifier else "image feature is"
    return f"Finally, the {output} computed from {config.pooling_description}."
