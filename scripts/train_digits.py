"""Train the shipped classifier `digits` again, on the CPU: `make digits`.

Writes the weights, their model card and the sample pictures. The held-out digits are looked at once, at the end.
"""

import copy
import math
import time

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
from scripts.practice import practice
from vitviz import VisionTransformer

THREADS = 1
EPOCHS = 88
DRAWINGS = 400  # of each digit, by a program
DRAWN = 0.5  # drawings in an epoch, for each digit of the data set
BATCH = 32
LEARNING_RATE = 1e-3
WARM_UP = 2  # epochs until the learning rate is full
EASY = 0.35  # share of the epochs in which the augmentation grows to its full effort
WEIGHT_DECAY = 0.05
SMOOTHING = 0.05  # of the labels
AVERAGE = 0.998  # how much of the running mean of the weights a step keeps
SAMPLE_DIGITS = (0, 3, 4, 7, 8)
SAMPLE_SIDE = 256  # pixels

Lesson = tuple[Fields, Tensor]  # digits and their labels


class Validation:
    """The validation digits as they are, and augmented in ways that stay the same; and drawings that are, too."""

    def __init__(self, part: Part, drawings: Lesson):
        self.labels, self.drawn = torch.from_numpy(part.labels), drawings[1]
        self.plain = as_input([as_picture(image) for image in part.images])
        random = torch.Generator().manual_seed(0)
        self.augmented = augmented(fields_of(part.images), torch.arange(len(part.labels)), random)
        self.drawings = augmented(drawings[0], torch.arange(len(self.drawn)), random)

    @torch.no_grad()
    def __call__(self, model: VisionTransformer) -> tuple[float, list[float]]:
        """Mean loss of the three kinds; accuracy of the plain ones, of the augmented ones, of the drawings."""
        model.eval()
        kinds = [(self.plain, self.labels), (self.augmented, self.labels), (self.drawings, self.drawn)]
        answers = [(model(pixels), labels) for pixels, labels in kinds]
        loss = sum(F.cross_entropy(logits, labels).item() for logits, labels in answers) / len(kinds)
        return loss, [(logits.argmax(1) == labels).float().mean().item() for logits, labels in answers]


def new_model(seed: int) -> VisionTransformer:
    """A model with random weights, from which it learns quickly.

    Matrices begin as in the original ViT (Glorot's uniform distribution; biases are zero). Positions begin as sines and
    cosines of row and column (Beyer et al. 2022, "Better plain ViT baselines for ImageNet-1k") and are then learned:
    small random ones would long be lost beside what a patch of white paper adds to a token.
    """
    model = VisionTransformer(CONFIG, "digits", PREPROCESSING)
    random = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight.flatten(1), generator=random)
            nn.init.zeros_(module.bias)
    nn.init.trunc_normal_(model.cls_token, std=0.02, generator=random)
    model.pos_embed.data[0, CONFIG.num_prefix_tokens :] = _waves(*CONFIG.grid, CONFIG.embed_dim)
    return model


def _waves(rows: int, columns: int, width: int) -> Tensor:
    """Sines and cosines of each patch's column and row, at wavelengths from 2 pi to 200 pi patches: [patch, width]."""
    frequencies = 100 ** -torch.linspace(0, 1, width // 4)
    y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
    angles = [place.reshape(-1, 1) * frequencies for place in (x, y)]
    return torch.cat([wave(angle) for angle in angles for wave in (torch.sin, torch.cos)], dim=1)


def train(
    digits: Lesson, drawings: Lesson, validation: Validation, *, seed: int = SEED, epochs: int = EPOCHS
) -> VisionTransformer:
    """Train a new model and return the running mean of its weights from the epoch with the least validation loss.

    An epoch takes all digits of the data set, and some drawings.
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
    best, least = copy.deepcopy(average), math.inf
    for epoch in range(1, epochs + 1):
        effort = min(1, epoch / (EASY * epochs))
        started, total = time.monotonic(), 0.0
        lesson = torch.cat([torch.arange(real), real + torch.randperm(drawn, generator=random)[:some]])
        for chosen in lesson[torch.randperm(real + some, generator=random)][: steps * BATCH].split(BATCH):
            pixels = augmented(fields, chosen, random, effort)
            loss = F.cross_entropy(model(pixels), labels[chosen], label_smoothing=SMOOTHING)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1)
            optimiser.step()
            schedule.step()
            total += loss.item()
            _follow(average, model, schedule.last_epoch)
        missed, (plain, varied, pen) = validation(average)
        if missed < least:
            best, least = copy.deepcopy(average), missed
        print(
            f"epoch {epoch:3}/{epochs}  loss {total / steps:.3f}  validation loss {missed:.3f}  "
            f"accuracy {plain:.1%}, augmented {varied:.1%}, drawings {pen:.1%}  {time.monotonic() - started:.1f} s",
            flush=True,
        )
    return best


def _groups(model: nn.Module) -> list[dict]:
    """Decay matrices; leave biases, norms and what is added to tokens alone."""
    matrices = [p for name, p in model.named_parameters() if p.ndim > 1 and not name.endswith(("token", "pos_embed"))]
    decayed = {id(p) for p in matrices}
    others = [p for p in model.parameters() if id(p) not in decayed]
    return [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0.0}]


def _follow(average: nn.Module, model: nn.Module, step: int) -> None:
    """Move the running mean towards the new weights; at first in larger steps, to forget the random ones soon."""
    share = max(1 - AVERAGE, 1 / (1 + step / 4))
    for kept, new in zip(average.parameters(), model.parameters(), strict=True):
        kept.data.lerp_(new.data, share)


def _pace(epoch: float, epochs: int) -> float:
    """Share of the learning rate: rising for the first epochs, then half a cosine down to zero."""
    return min((epoch + 0.05) / WARM_UP, (1 + math.cos(math.pi * min(epoch / epochs, 1))) / 2)


def main() -> None:
    """Train, look at the held-out digits once, and write weights, model card and sample pictures."""
    torch.set_num_threads(THREADS)
    torch.use_deterministic_algorithms(True)
    started, split = time.monotonic(), load_split()
    digits = fields_of(split["train"].images), torch.from_numpy(split["train"].labels)
    validation = Validation(split["validation"], practice(20, seed=SEED + 1))
    trained = train(digits, practice(DRAWINGS, seed=SEED), validation)
    save_file({name: value.half() for name, value in trained.state_dict().items()}, WEIGHTS)
    minutes = (time.monotonic() - started) / 60
    model = vitviz.load("digits")  # what ships, rounded to float16
    answers = {name: classify(model, [as_picture(image) for image in part.images]) for name, part in split.items()}
    recipe = (
        f"AdamW, {EPOCHS} epochs of batches of {BATCH}, learning rate {LEARNING_RATE:g} after {WARM_UP} epochs, "
        f"then half a cosine to zero, weight decay {WEIGHT_DECAY:g}, label smoothing {SMOOTHING:g}, "
        "running mean of the weights"
    )
    drawings = DRAWINGS * CONFIG.num_classes
    card = card_of(model, answers, minutes, recipe=recipe, threads=THREADS, easy=EASY, drawings=drawings, drawn=DRAWN)
    CARD.write_text(card)
    save_samples(model, split["held-out"])
    print(card)


def save_samples(model: VisionTransformer, held_out: Part) -> None:
    """Save, for a few digits, the held-out picture that the model is surest of."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    with torch.no_grad():
        sure = model(as_input([as_picture(image) for image in held_out.images])).softmax(1).numpy()
    for digit in SAMPLE_DIGITS:
        clearest = np.where(held_out.labels == digit, sure[:, digit], 0).argmax()
        Image.fromarray(as_picture(held_out.images[clearest], SAMPLE_SIDE)).save(SAMPLES / f"digit-{digit}.png")


if __name__ == "__main__":
    main()
