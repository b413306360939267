"""The model card of the shipped classifier, written by training and read again by the tests."""

import hashlib
import re

import numpy as np
import torch

from scripts.digits import CONFIG, SEED, WEIGHTS, classify, confusion, load_split
from scripts.pen import DIGITS, SMALL, drawn_digits
from scripts.practice import STYLES
from vitviz import VisionTransformer

_CARD = """\
# digits.safetensors

A tiny Vision Transformer that tells handwritten digits apart, small enough to be trained again in minutes
(`make digits`) and to follow a drawing pad. {parameters:,} parameters, float16, {megabytes:.2f} MB,
sha256 `{sha256}`.

| fact | value |
| --- | --- |
| architecture | plain ViT: patch {c.patch_size}, {c.depth} blocks, {c.num_heads} heads of {c.head_dim} channels, \
width {c.embed_dim}, GELU MLP of {c.mlp_dim}, class token, learned positions, {c.num_classes} classes |
| keys | timm's own names; LayerScale is learned, starting from ones |
| input | RGB {side} x {side}, {patches} patches; mean 0.5, std 0.5, bicubic; dark on light or light on dark |
| data | {total} handwritten digits of 8 x 8 pixels: E. Alpaydin and C. Kaynak 1998, "Optical Recognition of \
Handwritten Digits", UCI Machine Learning Repository, https://doi.org/10.24432/C50P49, as shipped with scikit-learn \
(`sklearn.datasets.load_digits`) |
| licence | the data: CC BY 4.0; these weights: MIT, as the project |
| split | {train} train, {validation} validation, {held_out} held out; stratified, seed {seed} |
| drawings | {drawn_share:.0f} % of the pictures in training are not from the data set but drawn by a program \
(`scripts/practice.py`) in {styles} styles, every point moved at random: {drawings:,} drawings; 200 others join the \
validation digits |
| augmentation | shift, rotation to 12 degrees, scale 0.38 to 1.2, proportions, shear, bending; strokes thinner and \
thicker, or drawn again with a pen of random width along the digit's centre lines; contrast, crispness, blur, \
colour of ink and paper, inversion, noise; growing over the first {easy:.0f} % of training |
| training | {recipe}; {minutes:.1f} minutes on {threads} CPU thread{plural}, torch {torch}; the same machine, \
torch and threads give the same weights |
| chosen on validation | epoch (least loss) and hyperparameters; validation accuracy {on_validation} |

## Accuracy

Held-out accuracy: {on_held_out}. These digits were looked at once, after training, as they were for
the version before.

Rows: the digit that was written. Columns: what the model sees in it.

{confusion}

Drawn with a pen on 280 x 280 pixels: {on_drawn}; light on dark: {on_inverted}.
Only small ones, {small}: {on_small}.

These are drawings by a program too (`scripts/pen.py`), of many sizes and places, in {kept} styles. But for the bare
stroke of a plain 1, training does not use these shapes. Still a 7 resembles a 7: some lie within reach of the training
drawings, whose points move at random, and those and the augmentation were designed with such shapes in mind. This tells
that the pad works, not how well it reads a stranger.

| style | right | small |
| --- | --: | --: |
{by_style}

## Limits

* It knows ten digits and nothing else: a letter, a face or an empty page gets a digit too, often a confident one.
* It sees 32 x 32 pixels: below about a third of the pad's height, an 8 or a 6 is a blot and gets any answer.
* The hardest of the drawings above is "{hardest}": {on_hardest}. The aim was 95 % for each style.
* A 7 whose bar is as short as a flag, and a 1 whose flag is as long as a bar, look alike to it, as they do to people.
* One digit at a time, upright, on plain paper; in a row of digits or on a busy background it guesses.
* The data set does not say who wrote which digit, so the same hands are in all three parts; strangers' digits are
  harder than the held-out ones.
* The originals have 8 x 8 pixels. What only finer pixels would show, it has never seen.
"""


def card_of(
    model: VisionTransformer,
    answers: dict[str, np.ndarray],
    minutes: float,
    *,
    recipe: str,
    threads: int,
    easy: float,
    drawings: int,
    drawn: float,
) -> str:
    """Describe the shipped weights.

    Args:
        model: the shipped model.
        answers: what it sees in the digits of each part of the split.
        minutes: how long training took.
        recipe: optimiser and schedule in words.
        threads: how many CPU threads trained it.
        easy: share of the training in which the augmentation grew.
        drawings: how many drawings there were to train on.
        drawn: how many of them it saw for each digit of the data set.
    """
    split = load_split()
    pictures, labels, styles = drawn_digits()
    by_pen = labels == classify(model, pictures)
    inverted = labels == classify(model, [255 - picture for picture in pictures])
    small_pictures, small_labels, small_styles = drawn_digits(heights=SMALL)
    small = small_labels == classify(model, small_pictures)
    hardest = min(DIGITS, key=lambda style: by_pen[np.array(styles) == style].mean())
    rows = (
        f"| {style} | {share(by_pen[np.array(styles) == style])} | {share(small[np.array(small_styles) == style])} |"
        for style in DIGITS
    )
    right = {name: share(part.labels == answers[name]) for name, part in split.items()}
    sizes = {name: len(part.labels) for name, part in split.items()}
    return _CARD.format(
        c=CONFIG,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        megabytes=WEIGHTS.stat().st_size / 1e6,
        sha256=hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        side=CONFIG.image_size[0],
        patches=f"{CONFIG.grid[0]} x {CONFIG.grid[1]}",
        total=sum(sizes.values()),
        train=sizes["train"],
        validation=sizes["validation"],
        held_out=sizes["held-out"],
        seed=SEED,
        easy=100 * easy,
        recipe=recipe,
        minutes=minutes,
        threads=threads,
        plural="" if threads == 1 else "s",
        torch=torch.__version__.partition("+")[0],
        on_validation=right["validation"],
        on_held_out=right["held-out"],
        drawn_share=100 * drawn / (1 + drawn),
        styles=len(STYLES),
        drawings=drawings,
        kept=len(DIGITS),
        on_drawn=share(by_pen),
        on_inverted=share(inverted),
        small=f"{100 * SMALL[0]:.0f} to {100 * SMALL[1]:.0f} % of the pad's height",
        on_small=share(small),
        hardest=hardest,
        on_hardest=share(by_pen[np.array(styles) == hardest]),
        by_style="\n".join(rows),
        confusion=_table(confusion(split["held-out"].labels, answers["held-out"])),
    )


def share(hits: np.ndarray) -> str:
    """How many are right, in numbers: `"98.61 % (355 of 360)"`."""
    return f"{100 * hits.mean():.2f} % ({hits.sum()} of {len(hits)})"


def confusion_in(card: str) -> np.ndarray:
    """The confusion matrix that a card states, int [10, 10]."""
    rows = re.findall(r"^\| \*\*\d\*\* \|(.*)\|$", card, re.MULTILINE)
    return np.array([[int(cell) if cell.strip() else 0 for cell in row.split("|")] for row in rows])


def _table(counts: np.ndarray) -> str:
    """A Markdown table of counts [10, 10]; noughts are left blank, so that mistakes stand out."""
    head = ["| |" + "|".join(f" {digit} " for digit in range(10)) + "|", "|" + " --: |" * 11]
    rows = (f"| **{digit}** |" + "|".join(f" {n or ''} " for n in row) + "|" for digit, row in enumerate(counts))
    return "\n".join([*head, *rows])
