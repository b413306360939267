"""Writer of training records to a folder, which becomes a training run if it holds checkpoints."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

from ...errors.arguments import typed
from ...trace.atomic_write import write_atomically
from ...zoo.in_training import CheckpointWriter
from ..export import safe_name
from ..provenance import of_model
from .record import TrainingRecord

STATISTICS = "heads.csv"
_COLUMNS = ("number", "layer", "head", "distance_px", "entropy_bits")


class FolderWriter:
    """Writer to a folder: pictures, statistics and, on request, checkpoints.

        runs/first/
          heads.csv              statistics of all heads and all records: one row for each head; layers, heads from 1
          epoch-00001/
            cat.png              attention of the class token in every head
            record.json          statistics of this record
            model.safetensors    with `checkpoints=True`: weights in float32, and config.json

    Everything appears under its name only when it is complete. A record of the same number is replaced, so a training
    that is continued can use the same folder. With checkpoints, the folder is a training run for `vitviz.load_run` and
    for the app.

    Args:
        folder: path of the folder; it is created.
        checkpoints: also write the weights. The first checkpoint is loaded and compared with the model.
    """

    @typed
    def __init__(self, folder: str | Path, *, checkpoints: bool = False):
        self.folder = Path(folder)
        self._checkpoints = CheckpointWriter() if checkpoints else None

    def write(self, record: TrainingRecord) -> None:
        """Write a record.

        Raises:
            ModelError: if the first checkpoint cannot be loaded as the same model.
            OSError: if the folder cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        place = self.folder / record.name
        temporary = self.folder / f".{record.name}.{os.getpid()}.part"
        shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
        temporary.mkdir()
        try:
            self._write_files(temporary, record)
            shutil.rmtree(place, ignore_errors=True)
            temporary.rename(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        write_atomically(self.folder / STATISTICS, self._statistics(record).encode())

    def _write_files(self, folder: Path, record: TrainingRecord) -> None:
        names: dict[str, str] = {}
        for image, data in record.overviews.items():
            stem = safe_name(image)
            taken = [name for name in names.values() if name == stem or name.startswith(f"{stem}-")]
            names[image] = f"{stem}-{len(taken) + 1}" if taken else stem
            (folder / f"{names[image]}.png").write_bytes(data)
        (folder / "record.json").write_text(json.dumps(_described(record, names), indent=1) + "\n", "utf-8")
        if self._checkpoints is not None:
            self._checkpoints.write(folder, record.source, record.model)

    def _statistics(self, record: TrainingRecord) -> str:
        """Contents of the table of all records: the rows of other records, and those of this one."""
        path, columns = self.folder / STATISTICS, (record.unit, *_COLUMNS[1:])
        rows: list[list[str]] = []
        if path.is_file():
            head, *rows = list(csv.reader(io.StringIO(path.read_text("utf-8", "replace")))) or [[]]
            rows = rows if head == list(columns) else []
        rows = [row for row in rows if row and row[0].isdecimal() and row[0] != str(record.number)]
        distance, entropy = record.statistics.distance, record.statistics.entropy
        for layer, head in ((layer, head) for layer in range(distance.shape[0]) for head in range(distance.shape[1])):
            bits = "" if entropy is None else f"{entropy[layer, head]:.6g}"
            rows.append([str(record.number), str(layer + 1), str(head + 1), f"{distance[layer, head]:.6g}", bits])
        written = io.StringIO()
        csv.writer(written, lineterminator="\n").writerows([columns, *sorted(rows, key=lambda row: int(row[0]))])
        return written.getvalue()


def _described(record: TrainingRecord, names: dict[str, str]) -> dict:
    entropy = record.statistics.entropy
    return {
        "format": "vitviz-training-record",
        "version": 1,
        record.unit: record.number,
        "model": record.model.name,
        **of_model(record.model),
        "images": {image: f"{name}.png" for image, name in names.items()},
        "distance_px": record.statistics.distance.tolist(),
        "entropy_bits": None if entropy is None else entropy.tolist(),
        "uniform": {"distance_px": record.uniform_distance, "entropy_bits": record.uniform_entropy},
    }
