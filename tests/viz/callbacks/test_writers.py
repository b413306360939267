"""Writers of training records: folders, TensorBoard, loggers."""

import csv
import io
import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image

import vitviz
from tests.support.random_models import CONFIGS
from vitviz.errors import ArgumentError
from vitviz.viz.callbacks import AttentionCallback, FolderWriter, LogWriter, TensorBoardWriter

IMAGE = {"a cat": torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(0))}


def model_at(seed):
    torch.manual_seed(seed)
    return timm.create_model("test_vit", num_classes=3, img_size=32, patch_size=8)


def rows_of(folder):
    return list(csv.DictReader(io.StringIO((folder / "heads.csv").read_text())))


def test_a_folder_has_pictures_and_numbers(tmp_path):
    callback = AttentionCallback(IMAGE, [FolderWriter(tmp_path / "run")])
    records = [callback.record(model_at(epoch), epoch) for epoch in (1, 2)]
    rows, (layers, heads) = rows_of(tmp_path / "run"), records[0].statistics.distance.shape
    assert len(rows) == 2 * layers * heads
    for row in rows:
        statistics = records[int(row["epoch"]) - 1].statistics
        place = int(row["layer"]) - 1, int(row["head"]) - 1
        assert float(row["distance_px"]) == pytest.approx(float(statistics.distance[place]), rel=1e-4)
        assert float(row["entropy_bits"]) == pytest.approx(float(statistics.entropy[place]), rel=1e-4)
    for record in records:
        folder = tmp_path / "run" / record.name
        about = json.loads((folder / "record.json").read_text())
        assert np.allclose(about["distance_px"], record.statistics.distance)
        assert about["epoch"] == record.number
        picture = Image.open(folder / about["images"]["a cat"])
        assert json.loads(picture.info["vitviz"])["epoch"] == record.number
        assert not list(folder.glob("*.safetensors"))


def test_a_record_of_the_same_number_is_replaced(tmp_path):
    """As when a training continues from its last checkpoint."""
    callback = AttentionCallback(IMAGE, [FolderWriter(tmp_path)])
    for seed, epoch in [(0, 1), (1, 2), (2, 3)]:
        callback.record(model_at(seed), epoch)
    (tmp_path / "epoch-00002" / "of the user.txt").write_text("old")
    again = AttentionCallback(IMAGE, [FolderWriter(tmp_path)]).record(model_at(7), 2)
    rows = rows_of(tmp_path)
    assert [row["epoch"] for row in rows] == sorted(row["epoch"] for row in rows)
    of_second = [float(row["distance_px"]) for row in rows if row["epoch"] == "2"]
    assert np.allclose(of_second, again.statistics.distance.ravel(), rtol=1e-4)
    assert {path.name for path in tmp_path.iterdir()} == {"heads.csv", *(f"epoch-0000{i}" for i in (1, 2, 3))}


@pytest.mark.parametrize("damage", [b"", b"a;b\n1;2\n", b"\xff\xfe\x00", None])
def test_a_damaged_table_does_not_end_the_training(tmp_path, damage):
    callback, table = AttentionCallback(IMAGE, [FolderWriter(tmp_path)]), tmp_path / "heads.csv"
    callback.record(model_at(0), 1)
    table.write_bytes(table.read_bytes() + b"mean,,,1,2\n" if damage is None else damage)
    callback.record(model_at(1), 2)
    assert {row["epoch"] for row in rows_of(tmp_path)} == ({"1", "2"} if damage is None else {"2"})


def test_what_a_killed_process_leaves_is_no_record(tmp_path, monkeypatch):
    callback = AttentionCallback(IMAGE, [FolderWriter(tmp_path, checkpoints=True)])
    callback.record(model_at(0), 1)

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("vitviz.zoo.in_training._write", fail)
    with pytest.raises(KeyboardInterrupt):
        callback.record(model_at(0), 2)
    assert {path.name for path in tmp_path.iterdir()} == {"heads.csv", "epoch-00001"}


def test_checkpoints_make_a_training_run(tmp_path):
    callback = AttentionCallback(IMAGE, [FolderWriter(tmp_path / "run", checkpoints=True)])
    models = {epoch: model_at(epoch) for epoch in (0, 5, 10)}
    for epoch, model in models.items():
        callback.record(model, epoch)
    run = vitviz.load_run(tmp_path / "run")
    assert run.steps == ("epoch-00000", "epoch-00005", "epoch-00010")
    curves = vitviz.training_curves(run, IMAGE["a cat"])
    rows = {(row["epoch"], row["layer"], row["head"]): float(row["entropy_bits"]) for row in rows_of(tmp_path / "run")}
    assert np.allclose(curves.entropy_of(1, 0), [rows[str(epoch), "2", "1"] for epoch in models], rtol=1e-3)
    for index, model in enumerate(models.values()):
        pixels = IMAGE["a cat"][None]
        assert torch.allclose(run.load(index)(pixels), model.eval()(pixels), atol=1e-4)


def test_differential_attention_has_no_entropy(tmp_path):
    model = vitviz.VisionTransformer(CONFIGS["differential"], "differential")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter)
    image = torch.randn(3, *model.config.image_size)
    record = AttentionCallback([image], [FolderWriter(tmp_path)]).record(model, 1)
    assert {row["entropy_bits"] for row in rows_of(tmp_path)} == {""}
    assert json.loads((tmp_path / record.name / "record.json").read_text())["entropy_bits"] is None
    assert not any(name.startswith("entropy") for name in record.scalars())


def test_names_of_images_that_are_equal_as_file_names(tmp_path):
    image = IMAGE["a cat"]
    AttentionCallback({"a/b": image, "a b": image, "../../x": image}, [FolderWriter(tmp_path)]).record(model_at(0), 1)
    about = json.loads((tmp_path / "epoch-00001" / "record.json").read_text())
    assert len({*about["images"].values()}) == 3
    assert all((tmp_path / "epoch-00001" / name).is_file() for name in about["images"].values())
    assert {path.name for path in tmp_path.iterdir()} == {"heads.csv", "epoch-00001"}


def test_tensorboard(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        callback = AttentionCallback(IMAGE, [TensorBoardWriter(writer, "attention")])
        records = [callback.record(model_at(epoch), epoch) for epoch in (1, 2)]
    events = EventAccumulator(str(tmp_path), size_guidance={"images": 0})
    events.Reload()
    found = events.Scalars("attention/entropy/L02/H01")
    assert [event.step for event in found] == [1, 2]
    assert [event.value for event in found] == pytest.approx([float(one.statistics.entropy[1, 0]) for one in records])
    image = events.Images("attention/attention/a cat")[-1]
    shown = Image.open(io.BytesIO(image.encoded_image_string)).convert("RGB")
    assert np.array_equal(np.asarray(shown), np.asarray(records[-1].pictures()["a cat"]))


class Log:
    def __init__(self):
        self.lines = []

    def log(self, values):
        self.lines.append(values)


def test_a_logger_that_is_handed_in():
    log, with_images = Log(), Log()
    callback = AttentionCallback(IMAGE, [LogWriter(log), LogWriter(with_images, image=lambda one: one.size, tag="x")])
    record = callback.record(model_at(0), 4)
    (values,), (others,) = log.lines, with_images.lines
    assert values["vitviz/epoch"] == 4
    assert values["vitviz/distance/L01/H02"] == pytest.approx(float(record.statistics.distance[0, 1]))
    assert all(isinstance(value, int | float) for value in values.values())
    assert others["x/attention/a cat"] == record.pictures()["a cat"].size


def test_objects_without_the_methods_are_refused():
    for make in (LogWriter, TensorBoardWriter):
        with pytest.raises(ArgumentError, match=r"log|add_scalar"):
            make(object())
