"""Training of the shipped classifier `digits` on the CPU: `make digits`.

It writes the weights, earlier checkpoints, the model card and the sample images. The held-out digits are used once, at
the end. `python -m scripts.train_digits --run-only` writes only the checkpoints and their part of the card, if the
weights are those that ship.
"""

import argparse
import copy
import math
import time
from collections.abc import Container
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

import vitviz
from scripts.augment_digits import Fields, augmented, fields_of
from scripts.digits import (
    CARD,
    CONFIG,
    PREPROCESSING,
    SAMPLES,
    SEED,
    WEIGHTS,
    Part,
    as_input,
    as_picture,
    classify,
    load_split,
)
from scripts.digits_card import card_of
from scripts.digits_run import KEPT, difference_from_shipped, save_run, with_run_section
from scripts.practice import practice
from vitviz import VisionTransformer

THREADS = 1
EPOCHS = 88
DRAWINGS = 400  # generated drawings per digit
DRAWN = 0.5  # drawings per digit of the data set in an epoch
BATCH = 32
LEARNING_RATE = 1e-3
WARM_UP = 2  # epochs of learning rate warm-up
EASY = 0.35  # fraction of the epochs in which the augmentation increases to its full strength
WEIGHT_DECAY = 0.05
SMOOTHING = 0.05  # label smoothing
AVERAGE = 0.998  # decay of the moving average of the weights
SAMPLE_DIGITS = (0, 3, 4, 7, 8)
SAMPLE_SIDE = 256  # pixels

Examples = tuple[Fields, Tensor]  # digits and their labels


@dataclass(frozen=True)
class Training:
    """Result of training.

    Attributes:
        best: moving average of the weights, at the end of the epoch with the lowest validation loss.
        step: number of steps at the end of that epoch.
        checkpoints: moving average of the weights after some numbers of steps before that one.
    """

    best: VisionTransformer
    step: int
    checkpoints: dict[int, VisionTransformer]


class Validation:
    """Validation set: plain digits, digits with fixed augmentation, and drawings with fixed augmentation."""

    def __init__(self, part: Part, drawings: Examples):
        self.labels, self.drawn = torch.from_numpy(part.labels), drawings[1]
        self.plain = as_input([as_picture(image) for image in part.images])
        random = torch.Generator().manual_seed(0)
        self.augmented = augmented(fields_of(part.images), torch.arange(len(part.labels)), random)
        self.drawings = augmented(drawings[0], torch.arange(len(self.drawn)), random)

    @torch.no_grad()
    def __call__(self, model: VisionTransformer) -> tuple[float, list[float]]:
        """Return the mean loss of the three sets, and the accuracy on each."""
        model.eval()
        kinds = [(self.plain, self.labels), (self.augmented, self.labels), (self.drawings, self.drawn)]
        answers = [(model(pixels), labels) for pixels, labels in kinds]
        loss = sum(F.cross_entropy(logits, labels).item() for logits, labels in answers) / len(kinds)
        return loss, [(logits.argmax(1) == labels).float().mean().item() for logits, labels in answers]


def new_model(seed: int) -> VisionTransformer:
    """Initialise a model.

    Matrices are initialised as in the original ViT (Glorot uniform; zero biases). The position embedding is initialised
    with sines and cosines of row and column (Beyer et al. 2022, "Better plain ViT baselines for ImageNet-1k") and then
    learned: small random values would for long be negligible beside the embedding of a white patch.
    """
    model = VisionTransformer(CONFIG, "digits", PREPROCESSING)
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight.flatten(1), generator=random)
            nn.init.zeros_(module.bias)
    nn.init.trunc_normal_(model.cls_token, std=0.02, generator=random)
    model.pos_embed.data[0, CONFIG.num_prefix_tokens :] = _sincos(*CONFIG.grid, CONFIG.embed_dim)
    return model


def _sincos(rows: int, columns: int, embed_dim: int) -> Tensor:
    """Return sines and cosines of column and row at wavelengths from 2 pi to 200 pi patches, [patch, embed_dim]."""
    frequencies = 100 ** -torch.linspace(0, 1, embed_dim // 4)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies for place in (x, y)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


def train(
    digits: Examples,
    drawings: Examples,
    validation: Validation,
    *,
    seed: int = SEED,
    epochs: int = EPOCHS,
    kept: Container[int] = (),
) -> Training:
    """Train a new model.

    An epoch uses all digits of the data set and a random selection of the drawings.

    Args:
        digits: digits of the data set.
        drawings: generated drawings.
        validation: evaluation after each epoch.
        seed: seed of all random numbers.
        epochs: number of epochs.
        kept: numbers of steps after which a checkpoint is kept; 0 is before training. They do not affect the training.
    """
    fields, labels = digits[0] + drawings[0], torch.cat([digits[1], drawings[1]])
    real, drawn = len(digits[1]), len(drawings[1])
    some = min(drawn, round(DRAWN * real))
    random = torch.Generator().manual_seed(seed)
    model = new_model(seed)
    average = copy.deepcopy(model)
    optimiser = torch.optim.AdamW(_groups(model), lr=LEARNING_RATE, betas=(0.9, 0.98))
    steps = (real + some) // BATCH
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _pace(step / steps, epochs))
    best, best_step, least = copy.deepcopy(average), 0, math.inf
    checkpoints = {0: copy.deepcopy(average)} if 0 in kept else {}
    for epoch in range(1, epochs + 1):
        effort = min(1, epoch / (EASY * epochs))
        started, total = time.monotonic(), 0.0
        examples = torch.cat([torch.arange(real), real + torch.randperm(drawn, generator=random)[:some]])
        for chosen in examples[torch.randperm(real + some, generator=random)][: steps * BATCH].split(BATCH):
            pixels = augmented(fields, chosen, random, effort)
            loss = F.cross_entropy(model(pixels), labels[chosen], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimiser.step()
            schedule.step()
            total += loss.item()
            _update_average(average, model, schedule.last_epoch)
            if schedule.last_epoch in kept:
                checkpoints[schedule.last_epoch] = copy.deepcopy(average)
        validation_loss, (plain, varied, pen) = validation(average)
        if validation_loss < least:
            best, best_step, least = copy.deepcopy(average), schedule.last_epoch, validation_loss
        print(
            f"epoch {epoch:3}/{epochs}  loss {total / steps:.3f}  validation loss {validation_loss:.3f}  "
            f"accuracy {plain:.1%}, augmented {varied:.1%}, drawings {pen:.1%}  {time.monotonic() - started:.1f} s",
            flush=True,
        )
    return Training(best, best_step, {step: one for step, one in checkpoints.items() if step < best_step})


def _groups(model: nn.Module) -> list[dict]:
    """Return parameter groups: weight decay for matrices, none for biases, norms and embeddings."""
    matrices = [p for name, p in model.named_parameters() if p.ndim > 1 and not name.endswith(("token", "pos_embed"))]
    decayed = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in decayed]
    return [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]


def _update_average(average: nn.Module, model: nn.Module, step: int) -> None:
    """Update the moving average of the weights; early steps are larger, to discard the initial weights soon."""
    rate = max(1 - AVERAGE, 1 / (1 + step / 4))
    for mean, new in zip(average.parameters(), model.parameters(), strict=True):
        mean.data.lerp_(new.data, rate)


def _pace(epoch: float, epochs: int) -> float:
    """Return the learning rate factor: linear warm-up, then cosine decay to zero."""
    return min((epoch + 0.05) / WARM_UP, (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2)


def main() -> None:
    """Train, evaluate once on the held-out digits, and write weights, checkpoints, model card and sample images."""
    parser = argparse.ArgumentParser(prog="python -m scripts.train_digits", description=main.__doc__)
    parser.add_argument(
        "--run-only", action="store_true", help="write only the checkpoints, if the weights are the same"
    )
    run_only = parser.parse_args().run_only
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    started, split = time.monotonic(), load_split()
    digits = fields_of(split["train"].images), torch.from_numpy(split["train"].labels)
    validation = Validation(split["validation"], practice(20, seed=SEED + 1))
    trained = train(digits, practice(DRAWINGS, seed=SEED), validation, kept=KEPT)
    if run_only:
        difference = difference_from_shipped(trained.best)
        if difference:
            raise SystemExit(f"The weights differ from the shipped ones by up to {difference:.3g}; nothing is written.")
        save_run({**trained.checkpoints, trained.step: trained.best})
        CARD.write_text(with_run_section(CARD.read_text("utf-8")), "utf-8")
        return
    save_file({name: value.half() for name, value in trained.best.state_dict().items()}, WEIGHTS)
    save_run({**trained.checkpoints, trained.step: trained.best})
    minutes = (time.monotonic() - started) / 60
    model = vitviz.load("digits")  # shipped weights, rounded to float16
    answers = {name: classify(model, [as_picture(image) for image in part.images]) for name, part in split.items()}
    recipe = (
        f"AdamW, {EPOCHS} epochs of batches of {BATCH}, learning rate {LEARNING_RATE:g} after {WARM_UP} epochs, "
        f"then cosine decay to zero, weight decay {WEIGHT_DECAY:g}, label smoothing {SMOOTHING:g}, "
        "moving average of the weights"
    )
    drawings = DRAWINGS * CONFIG.num_classes
    card = card_of(model, answers, minutes, recipe=recipe, threads=THREADS, easy=EASY, drawings=drawings, drawn=DRAWN)
    CARD.write_text(card)
    save_samples(model, split["held-out"])
    print(card)


def save_samples(model: VisionTransformer, held_out: Part) -> None:
    """Save the held-out image with the highest confidence for a few digits."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        sure = model(as_input([as_picture(image) for image in held_out.images])).softmax(1).numpy()
    for digit in SAMPLE_DIGITS:
        clearest = np.where(held_out.labels == digit, sure[:, digit], 0).argmax()
        Image.fromarray(as_picture(held_out.images[clearest], SAMPLE_SIDE)).save(SAMPLES / f"digit-{digit}.png")


if __name__ == "__main__":
    main()
