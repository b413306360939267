"""Training run of the shipped classifier `digits`: the checkpoints that are kept, and their part of the model card."""

import copy
import json
from collections.abc import Mapping

import numpy as np
from safetensors.torch import load_file, save_file

from scripts.digits import WEIGHTS, as_picture, classify, load_split
from vitviz import VisionTransformer
from vitviz.zoo.shipped import sha256_of
from vitviz.zoo.shipped_run import LISTING, run_folder

# Steps from random weights on, about equally far apart on a logarithmic scale; the end of training is added.
KEPT = (0, 30, 100, 200, 400, 1000, 2500)
FOLDER = run_folder("digits")
_SECTION = """\
## Training run

Earlier checkpoints are in the folder `digits-run`, so that the app can show the same image over training
(`vitviz.load_run("digits")`): {count} files, float16, {megabytes:.1f} MB in all. They come from the training of these
weights, after the steps below, which are about equally far apart on a logarithmic scale; each is the moving average of
the weights. A step is a batch. The last checkpoint is `digits.safetensors` itself. Accuracy is that on the
{validation} validation digits.

| checkpoint | validation accuracy |
| --- | --: |
{rows}"""


def save_run(checkpoints: Mapping[int, VisionTransformer]) -> None:
    """Save the checkpoints of a training, and list them with their accuracy on the validation digits.

    Args:
        checkpoints: models by number of steps; the last one has been saved as the shipped model.
    """
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.safetensors"):
        path.unlink()
    listed = []
    for step, model in sorted(checkpoints.items()):
        name = f"step-{step:05}"
        path = WEIGHTS if step == max(checkpoints) else FOLDER / f"{name}.safetensors"
        if path != WEIGHTS:
            save_file({key: value.half() for key, value in model.state_dict().items()}, path)
        listed.append({"step": name, "sha256": sha256_of(path), "accuracy": validation_accuracy(model)})
    (FOLDER / LISTING).write_text(json.dumps({"checkpoints": listed}, indent=2) + "\n", "utf-8")


def difference_from_shipped(model: VisionTransformer) -> float:
    """Return the largest difference of a weight from the shipped model, after rounding to float16."""
    shipped, weights = load_file(WEIGHTS), model.state_dict()
    return max(float((value.float() - weights[name].half().float()).abs().max()) for name, value in shipped.items())


def validation_accuracy(model: VisionTransformer) -> float:
    """Return the accuracy on the validation digits, of weights rounded to float16, as they are shipped."""
    part, rounded = load_split()["validation"], copy.deepcopy(model).half().float().eval()
    return float(np.mean(classify(rounded, [as_picture(image) for image in part.images]) == part.labels))


def with_run_section(card: str) -> str:
    """Return the model card with the present description of the run, which stands before the limits."""
    before, _, rest = card.partition("## Training run\n")
    before, limits = (before, rest[rest.index("## Limits") :]) if rest else _split(card, "## Limits")
    return f"{before}{run_section()}\n\n{limits}"


def _split(text: str, heading: str) -> tuple[str, str]:
    return text[: text.index(heading)], text[text.index(heading) :]


def run_section() -> str:
    """Describe the run in the model card."""
    files, count = list(FOLDER.glob("*.safetensors")), len(load_split()["validation"].labels)
    listed = json.loads((FOLDER / LISTING).read_text("utf-8"))["checkpoints"]
    rows = (
        f"| `{one['step']}` | {100 * one['accuracy']:.2f} % ({round(one['accuracy'] * count)} of {count}) |"
        for one in listed
    )
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    return _SECTION.format(count=len(files), megabytes=megabytes, validation=count, rows="\n".join(rows))
