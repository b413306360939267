"""Pickles that would build huge objects: refused by their opcodes, with little memory, before torch reads them."""

import json
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

import vitviz
from tests.support.checkpoints import prefixed
from vitviz import ModelError
from vitviz.zoo import checkpoint
from vitviz.zoo.find_vit import find_vit
from vitviz.zoo.pickles import check_pickles, plain

ROOT = Path(__file__).resolve().parents[2]
MANY = 3_000_000
MEMORY = 150_000_000  # bytes available for a refusal, beyond those in use
MAGIC = 0x1950A86A20F9469CFC6C


def text(words):
    return b"X" + struct.pack("<I", len(words.encode())) + words.encode()


def put(place):
    return b"r" + struct.pack("<I", place)


def get(place):
    return b"j" + struct.pack("<I", place)


def named(path):
    module, _, name = path.rpartition(".")
    return f"c{module}\n{name}\n".encode()


def long(number):
    written = pickle.encode_long(number)
    return b"\x8a" + bytes([len(written)]) + written


def keys(each):
    """A dictionary with these keys, all None."""
    return b"}(" + b"".join(key + b"N" for key in each) + b"u."


def colliding(count):
    return [long(place * (2**61 - 1)) for place in range(2, count + 2)]  # all have the hash 0


def doubling(times):
    """A tuple that holds a tuple twice, which holds a tuple twice, ..."""
    return b")q\x00" + b"".join(b"h\x00h\x00\x86q\x00" for _ in range(times))


HOSTILE = {
    "a dictionary that contains itself": b"}q\x00" + text("state_dict") + b"h\x00s.",
    "two dictionaries that contain each other": b"}q\x00" + text("a") + b"}q\x01" + text("b") + b"h\x00ss.",
    "a list that contains itself": b"}" + text("a") + b"]q\x00h\x00as.",
    "a dictionary in its own attributes": named("collections.OrderedDict") + b")Rq\x00}" + text("a") + b"h\x00sb.",
    "a tuple in a list in the tuple": b"}" + text("a") + b"]q\x00h\x00\x85q\x01h\x00h\x01as.",
    "lists in lists": b"]" * MANY + b"a" * (MANY - 1) + b".",
    "lists in lists, inside first": b"]q\x00" + b"]h\x00aq\x00" * MANY + b".",
    "tuples in tuples": b")" + b"\x85" * MANY + b".",
    "lists in lists, outside first": b"".join(b"]" + put(place) for place in range(300))
    + b"".join(get(place) + get(place + 1) + b"a" for place in range(299))
    + get(0)
    + b".",
    "marks": b"(" * MANY,
    "numbers": b"](" + b"K\x01" * MANY + b"e.",
    "empty lists": b"](" + b"]" * MANY + b"e.",
    "remembered": b"]" + b"".join(map(put, range(MANY // 3))) + b".",
    "a text that the file does not hold": b"X" + struct.pack("<I", 2**32 - 1) + bytes(40_000_000),
    "a name that does not end": b"c" + b"n" * 40_000_000,
    "as long as a disk": b"]" + b"X" + struct.pack("<I", 33_000_000) + b" " * 33_000_000 + b"a.",
    "a key whose hash takes years": b"}" + doubling(90) + b"Ns.",
    "a key whose hash overflows the stack": b"}" + b")" + b"\x85" * 300_000 + b"Ns.",
    "keys that share a hash": keys(colliding(40_000)),
    "tuples that share a hash": keys(
        b"(" + b"".join(b"J" + struct.pack("<i", -1 - (place >> bit & 1)) for bit in range(12)) + b"t"
        for place in range(4096)
    ),
    "a set that shares a hash": named("builtins.set") + b"](" + b"".join(colliding(40_000)) + b"e\x85R.",
    "a set of tuples": named("builtins.set") + b"](" + doubling(90) + b"e\x85R.",
    "pairs that share a hash": named("collections.OrderedDict")
    + b"]("
    + b"".join(b"](" + key + b"Ne" for key in colliding(40_000))
    + b"e\x85R.",
    "room": b"}" + text("a") + named("builtins.bytearray") + long(10**12) + b"\x85Rs.",
    "room for a small number": b"}" + text("a") + named("builtins.bytearray") + b"J\xff\xff\xff\x7f\x85Rs.",
    "a new tensor": b"}" + text("a") + named("torch.FloatTensor") + b"J\xff\xff\xff\x7f\x85Rs.",
    "a new storage": b"}" + text("a") + named("torch.storage.UntypedStorage") + b"J\xff\xff\xff\x7f\x85Rs.",
    "room at second hand": b"}"
    + text("a")
    + named("torch._tensor._rebuild_from_type_v2")
    + b"("
    + named("builtins.bytearray")
    + b"ctorch\nTensor\nJ\xff\xff\xff\x7f\x85NtRs.",
    "copies of a text": text("x" * 100_000)
    + b"q\x00]("
    + (named("_codecs.encode") + b"h\x00" + text("latin1") + b"\x86R") * 5000
    + b"e.",
    "copies of a list": b"](" + b"K\x01" * 90_000 + b"eq\x00](" + named("builtins.set") + b"h\x00\x85R" * 5000 + b"e.",
    "an encoding that takes quadratic time": named("_codecs.encode")
    + text("\u0f00\u1000\u1e00" * 300_000)
    + text("punycode")
    + b"\x86R.",
}


def as_zip(content, path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/byteorder", "little")
        archive.writestr("archive/version", "3\n")


def as_legacy(content, path):
    first = b"".join(pickle.dumps(part, protocol=2) for part in (MAGIC, 1001, {"little_endian": True}))
    path.write_bytes(first + content + pickle.dumps([], protocol=2))


FORMS = {"zip": as_zip, "legacy": as_legacy, "bare": lambda content, path: path.write_bytes(content)}

# Reads the files one after the other with a memory limit, and prints the result for each.
READER = """
import json, resource, sys
from vitviz.errors import ModelError
from vitviz.zoo.find_vit import find_vit
from vitviz.zoo.pickles import check_pickles
from pathlib import Path
_, hard = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_CPU, (240, 240))
for line in sys.stdin:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, hard))
    try:
        check_pickles(Path(line.strip()))
        said = "was let through"
    except ModelError as error:
        said = str(error)
    except Exception as error:
        said = f"raised {error!r}"
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    print(json.dumps(said), flush=True)
"""


@pytest.fixture(scope="module")
def refusals(tmp_path_factory):
    """Result of a process with little memory for each file, by name."""
    folder = tmp_path_factory.mktemp("hostile")
    said = {}
    with subprocess.Popen(
        [sys.executable, "-c", READER.replace("MEMORY", str(MEMORY))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        for form, write in FORMS.items():
            for name, content in HOSTILE.items():
                path = folder / f"{form}.pth"
                write(content, path)
                process.stdin.write(f"{path}\n")
                process.stdin.flush()
                answer = process.stdout.readline()
                said[form, name] = json.loads(answer) if answer else "the process died"
        process.stdin.close()
    return said


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("form", FORMS)
def test_what_would_build_endlessly_is_refused_before_torch_reads_it(refusals, form, name):
    said = refusals[form, name]
    assert said.startswith(f"'{form}.pth' "), said
    assert said.endswith(".")
    assert "\n" not in said


def test_a_name_that_torch_does_not_know_is_left_to_torch(tmp_path):
    as_zip(named("os.system") + text("true") + b"\x85R.", tmp_path / "a.pth")
    check_pickles(tmp_path / "a.pth")
    with pytest.raises(ModelError, match=r"\bos\.system\b"):
        vitviz.load(tmp_path / "a.pth")


@pytest.mark.parametrize("legacy", [False, True])
def test_what_training_leaves_behind_is_read(legacy, tmp_path, original):
    """A large, deep, but ordinary checkpoint with weights, averaged weights, optimiser state, losses and settings."""
    weights = original.state_dict()
    model = torch.nn.ModuleList([torch.nn.Linear(2, 2) for _ in range(400)])
    optimiser = torch.optim.AdamW(model.parameters())
    model[0](torch.ones(2)).sum().backward()
    optimiser.step()
    nested = {}
    for _ in range(40):
        nested = {"in": [nested, (1, 2.5, None)]}
    saved = {
        "state_dict": weights,
        "ema": prefixed(weights, "module."),
        "optimizer": optimiser.state_dict(),
        "losses": [0.25] * 200_000,
        "seen": {"a", "b", 3},
        "by place": {(0, 1): "a", 2.5: "b", 2**70: "c", None: "d"},
        "raw": b"\x00\xff" * 5000,
        "bytes": bytearray(b"ab"),
        "size": torch.Size([1, 2]),
        "rng": torch.get_rng_state(),
        "nested": nested,
    }
    torch.save(saved, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    check_pickles(tmp_path / "a.pth")
    found = checkpoint.read_checkpoint(tmp_path / "a.pth").weights
    assert find_vit(found, "a").weights.keys() == weights.keys()


def test_what_is_held_twice_is_no_cycle(tmp_path):
    shared = {"a": torch.zeros(3)}
    torch.save({"one": shared, "other": [shared, shared]}, tmp_path / "a.pth")
    check_pickles(tmp_path / "a.pth")


class Made:
    """Object that is pickled as a call, with attributes and items for the result."""

    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def test_a_file_cannot_give_its_dictionaries_and_tensors_methods(tmp_path, original):
    """A pickle can set attributes of an OrderedDict and a tensor, such as a `get` or `numel` that cannot be called."""
    sevens = dict.fromkeys(("get", "items", "keys", "values", "numel", "untyped_storage", "detach", "layout_of"), 7)
    weights = {
        key: Made(torch._utils._rebuild_parameter_with_state, (value, False, OrderedDict(), sevens))
        for key, value in original.state_dict().items()
    }
    torch.save(
        {"state_dict": Made(OrderedDict, (), sevens, None, iter(weights.items())), "arch": "vit_tiny_patch16_224"},
        tmp_path / "a.pth",
    )
    found = checkpoint.read_checkpoint(tmp_path / "a.pth").weights
    assert all(torch.equal(found[f"state_dict.{key}"], value) for key, value in original.state_dict().items())


def test_a_checkpoint_is_checked_before_it_is_read(tmp_path, monkeypatch):
    as_zip(HOSTILE["a dictionary that contains itself"], tmp_path / "a.pth")
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("torch was asked to read it"))
    with pytest.raises(ModelError):
        vitviz.load(tmp_path / "a.pth")


def test_plain_keeps_values():
    shared = {"a": torch.ones(2)}
    found = plain({"x": shared, "y": [shared, (1, "b", None)]})
    assert found["x"] is found["y"][0]
    assert found["y"][1] == (1, "b", None)
    assert torch.equal(found["x"]["a"], torch.ones(2))
