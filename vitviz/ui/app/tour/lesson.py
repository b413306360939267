"""The lesson: from the image to the explorer, in eighteen stops. All that it says follows the model at hand."""

from __future__ import annotations

from ....model.config import ViTConfig
from .stops import (
    ATTENTION,
    CHOSEN_ROW,
    EXPLORER,
    HEAD,
    HEADS,
    KEYS,
    MATRIX,
    OWN_IMAGE,
    PICTURE,
    REVERSE,
    ROWS,
    Stop,
    first_figure,
    heading,
    image_of,
)


def lesson(config: ViTConfig) -> tuple[Stop, ...]:
    """All stops in their order. There are as many for every model, so that a link to a stop fits each of them."""
    one = config.depth * config.num_heads == 1
    return (
        Stop(
            "sequence",
            "Your image, in numbers",
            "A Vision Transformer reads a sequence of numbers. This page makes one from your image, and you can redo "
            "every sum. It begins with pixels, scaled as the model was trained.",
            ".st-key-part_input",
            ".st-key-part_input [data-testid=stImage]",
        ),
        Stop(
            "sequence",
            "Patches",
            f"The image is cut into squares of {config.patch_size} × {config.patch_size} pixels. Everything from here "
            "on follows "
            "one of them, on both pages.",
            ".st-key-part_splitting",
            image_of(PICTURE),
            "Choose a patch on the picture: click or tap it, or use arrow keys and Enter.",
            PICTURE,
            ("row", "column"),
        ),
        *_token(config),
        _positions(config),
        Stop(
            "sequence",
            "The sequence",
            f"Now all tokens are rows of one matrix of {config.embed_dim} columns. From here on the model sees only "
            "this.",
            ".st-key-part_sequence",
            ROWS,
            "Point at a row, tap one, or move with arrow keys: its patch lights up.",
            MATRIX,
            ("row",),
            small=CHOSEN_ROW,
        ),
        Stop(
            "sequence",
            "Larger or smaller patches",
            "Half the side means four times as many patches, and about sixteen times as many attention weights.",
            ".st-key-part_what_if",
            ".st-key-what_if_patch",
            hint="Choose another P.",
            watch=".st-key-part_what_if",
        ),
        Stop(
            "attention",
            "A lookup that is never exact",
            "Attention is a dictionary that always answers: it compares your query with every key, and mixes the "
            "values by how alike they are.",
            ".st-key-part_idea",
            ".st-key-dictionary_query",
            "Type another word with a mistake and press Enter, or change the temperature.",
            ".st-key-part_idea .vv-table",
        ),
        Stop(
            "attention",
            "Query, key and value",
            f"Each head makes three vectors of {config.head_dim} numbers from every token: what it asks, what it "
            "answers to, and what it hands over.",
            ".st-key-part_qkv",
            *_another_head(config),
        ),
        Stop(
            "attention",
            "Scores",
            "The query of your patch meets the key of every token. A large product means: this is what I look for.",
            ".st-key-part_scores",
            image_of(KEYS),
            "Choose a patch in this picture: its key is taken apart, number by number.",
            KEYS,
            ("second",),
        ),
        Stop(
            "attention",
            "Scores become shares",
            "Softmax turns scores into weights. "
            + (
                "This model takes one set of them away from another, so some are negative."
                if config.differential
                else "They are positive and sum to 1, so a token that gets more leaves less for the others."
            ),
            ".st-key-part_softmax",
            ".st-key-what_if_temperature",
            "Move the temperature: from one winner to all alike.",
            ".st-key-what_if_temperature",
        ),
        Stop(
            "attention",
            "What comes back",
            "The values, mixed by their weights, are what the head has found."
            + (f" All {config.num_heads} heads together are added to the token." if config.num_heads > 1 else ""),
            ".st-key-part_values",
            first_figure(".st-key-part_values"),
        ),
        Stop(
            "attention",
            "Block after block",
            f"After attention comes a small network that works on each token alone. {_depth(config)} {_end(config)}",
            ".st-key-part_network",
            first_figure(".st-key-part_network"),
        ),
        Stop(
            "attention",
            "All of the image at once",
            "A convolution sees its neighbourhood; a head may look anywhere, from the first layer on. The circles are "
            "how far these heads do look.",
            ".st-key-part_reach",
            first_figure(".st-key-part_reach"),
            hint="Move through the layers, from the first to the last." if config.depth > 1 else None,
            watch=".st-key-part_reach" if config.depth > 1 else None,
        ),
        Stop(
            "explore",
            "Point and look",
            "Here is all of it at once, live. Point at a patch, and the colours show where it looks.",
            ".st-key-explorer",
            ATTENTION,
            "Point at a patch, tap one, or use the arrow keys.",
            EXPLORER,
            ("query",),
        ),
        Stop(
            "explore",
            "Every head of every layer",
            "Each small map is one head. Some look at their neighbours, some at the same thing elsewhere, some at one "
            "spot whatever you point at.",
            ".st-key-explorer",
            HEADS,
            None if one else "Choose a small map: the large picture shows that head.",
            None if one else EXPLORER,
            () if one else ("layer", "head"),
            small=HEAD,
            under=ATTENTION,
        ),
        REVERSE,
        Stop(
            "explore",
            "Now with your own image",
            "Drop in a photo, take one, or draw, and choose another model. The address bar is always a link to what "
            "you see.",
            ".st-key-explorer",
            OWN_IMAGE,
        ),
    )


def _token(config: ViTConfig) -> tuple[Stop, Stop]:
    """From pixels to a token, in two stops."""
    if config.stem:
        return (
            Stop(
                "sequence",
                "A network looks first",
                "In this model a convolutional network reads the image as a whole, before there are tokens.",
                ".st-key-part_flattening",
                heading(".st-key-part_flattening"),
            ),
            Stop(
                "sequence",
                "From pixels to a token",
                f"Each place of its result becomes a token of {config.embed_dim} numbers. No single matrix does that.",
                ".st-key-part_projection",
                heading(".st-key-part_projection"),
            ),
        )
    return (
        Stop(
            "sequence",
            "A patch is a row of numbers",
            f"Pixel by pixel, channel by channel, your patch becomes one vector of "
            f"{config.patch_size**2 * config.in_chans} numbers.",
            ".st-key-part_flattening",
            ".st-key-vector_index",
            "Move the slider: which pixel does the number come from?",
            ".st-key-vector_index",
        ),
        Stop(
            "sequence",
            "From pixels to a token",
            f"{config.embed_dim} learned filters, each as large as a patch. How much of each is in yours gives the "
            f"{config.embed_dim} numbers of its token.",
            ".st-key-part_projection",
            ".st-key-dimension",
            "Move the slider: another number comes from another filter.",
            ".st-key-dimension",
        ),
    )


def _positions(config: ViTConfig) -> Stop:
    told = [
        "A learned vector for its place is added to every token." if config.position_embedding else "",
        "Queries and keys are turned by angles that depend on their place." if config.rope else "",
        "Every score gets a learned number for how the two places lie." if config.relative_position_bias else "",
    ]
    told = " ".join(filter(None, told)) or "This model is told nothing about places."
    return Stop(
        "sequence",
        "Where is it?",
        f"To a Transformer its input is a set, without an order. {told}",
        ".st-key-part_positions",
        ".st-key-shuffle",
        "Shuffle the patches, and see how far the model's answer moves.",
        ".st-key-shuffle",
    )


def _another_head(config: ViTConfig) -> tuple[str | None, ...]:
    """Target, hint and what to watch, where there are other heads."""
    if config.num_heads == 1:
        return (heading(".st-key-part_qkv"), None, None)
    return (".st-key-attention_head", "Choose another head: its vectors are others.", ".st-key-attention_head")


def _depth(config: ViTConfig) -> str:
    return f"{config.depth} such blocks follow each other." if config.depth > 1 else "This model has one such block."


def _end(config: ViTConfig) -> str:
    what = "the classes come" if config.num_classes else "the feature of the image comes"
    return f"At the end {what} from {config.pooling_description}."
