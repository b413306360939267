"""vitviz.load: any checkpoint gives a model or a refusal, within bounds of time and memory."""

import io
import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import vitviz
from tests.support.hostile import checkpoints
from tests.support.hostile.limits import handled
from tests.support.hostile.strategies import json_values, mutated, mutated_json, mutated_text
from vitviz.zoo.checkpoint import read_checkpoint

pytestmark = pytest.mark.filterwarnings("ignore")
PICKLE = checkpoints.records(checkpoints.pth())["archive/data.pkl"]
LEGACY = checkpoints.pth(legacy=True)
OPCODES = [bytes([code]) for code in b"()]}0aNtRbeus\x85\x86\x87\x81Q"]
OPCODES += [b"h\0", b"q\0", b"h\1", b"q\1", b"K\1", b"X\1\0\0\0a", b"ccollections\nOrderedDict\n"]
TEXTS = {
    "config.json": checkpoints.CONFIG,
    "config.json of timm": checkpoints.TIMM_CONFIG,
    "preprocessor_config.json": checkpoints.PREPROCESSOR,
    "model.safetensors.index.json": {
        "metadata": {},
        "weight_map": dict.fromkeys(checkpoints.weights(), "a.safetensors"),
    },
}
slower = settings(max_examples=settings.default.max_examples // 3)  # each example builds a model


@pytest.fixture(scope="session")
def run(folder):
    """Function that loads a checkpoint, given by the files of its folder and its name, and checks the outcome."""
    place = folder / "checkpoint"
    place.mkdir()

    def load(files: dict[str, bytes], name: str = "", **options) -> None:
        for old in place.iterdir():
            old.unlink()
        for file, data in files.items():
            (place / file).write_bytes(data)
        model = handled(lambda: vitviz.load(place / name, **options))
        if model is not None:
            assert model.config.depth <= 256
            assert len(model.labels) in (0, model.config.num_classes)
            assert all(isinstance(note, str) for note in model.notes)

    return load


def as_json(value: object) -> bytes:
    return json.dumps(value).encode(errors="surrogatepass")


@given(mutated(checkpoints.safetensors()))
@slower
def test_safetensors_with_changed_bytes(run, data):
    run({"a.safetensors": data}, "a.safetensors", num_heads=2)


@given(mutated_json(checkpoints.header_of(checkpoints.safetensors())))
@slower
def test_safetensors_with_changed_headers(run, header):
    body = checkpoints.body_of(checkpoints.safetensors())
    run({"a.safetensors": checkpoints.with_header(header, body)}, "a.safetensors", num_heads=2)


@given(mutated(checkpoints.pth()))
@slower
def test_archives_with_changed_bytes(run, data):
    run({"a.pth": data}, "a.pth", num_heads=2)


@given(mutated(PICKLE))
@slower
def test_archives_with_changed_pickles(run, content):
    records = checkpoints.records(checkpoints.pth()) | {"archive/data.pkl": content}
    run({"a.pth": checkpoints.archive_of(records)}, "a.pth", num_heads=2)


@given(mutated(LEGACY[:3000]).map(lambda start: start + LEGACY[3000:]) | mutated(LEGACY))
@slower
def test_old_files_with_changed_bytes(run, data):
    run({"a.pth": data}, "a.pth", num_heads=2)


@given(st.lists(st.sampled_from(OPCODES), max_size=40))
def test_pickles_of_any_opcodes(folder, codes):
    path = folder / "any.pth"
    path.write_bytes(b"\x80\2" + b"".join(codes) + b".")
    handled(lambda: read_checkpoint(path))


@given(st.sampled_from(tuple(TEXTS)).flatmap(lambda name: st.tuples(st.just(name), mutated_json(TEXTS[name]))))
@slower
def test_folders_with_changed_json_files(run, changed):
    name, value = changed
    files = {"config.json": as_json(checkpoints.CONFIG), name.split()[0]: as_json(value)}
    weights = "a.safetensors" if "index" in name else "model.safetensors"
    run({weights: checkpoints.safetensors(), **files})


@given(mutated_json(checkpoints.ARGS) | json_values)
@slower
def test_any_arguments_of_a_training_script(run, arguments):
    buffer = io.BytesIO()
    torch.save({"state_dict": checkpoints.weights(), "args": arguments, "classes": arguments}, buffer)
    run({"a.pth": buffer.getvalue()}, "a.pth")


@given(mutated_text(checkpoints.TOML), st.sampled_from(("a.toml", "vitviz.toml")))
@slower
def test_changed_sidecars(run, text, name):
    data = text.encode(errors="surrogatepass")
    run({"a.safetensors": checkpoints.safetensors(), name: data}, "a.safetensors")


@given(mutated_text("cat\ndog\nfox\n") | st.text(max_size=50))
@slower
def test_any_labels(run, text):
    data = text.encode(errors="surrogatepass")
    run({"a.safetensors": checkpoints.safetensors(), "labels.txt": data}, "a.safetensors", num_heads=2)
