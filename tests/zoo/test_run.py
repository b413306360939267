"""Training runs: order of the checkpoints, what is left out, at most two in memory, and folders that are refused."""

import gc
import os
import pickle
import weakref
from itertools import pairwise

import pytest
import torch

import vitviz
from tests.support.facts import mentions
from tests.support.training_runs import weights, write_run
from vitviz import ModelError, zoo
from vitviz.zoo import run as runs
from vitviz.zoo import shipped
from vitviz.zoo.shipped_run import RUNS, run_folder, shipped_run

STEPS = ("step-900.pth", "step-1000.pth", "step-20.pth", "step-100.pth")


@pytest.fixture
def folder(tmp_path):
    return write_run(tmp_path / "run7", STEPS)


def test_the_order_is_that_of_the_numbers(folder):
    run = vitviz.load_run(folder)
    assert run.steps == ("step-20", "step-100", "step-900", "step-1000")
    assert len(run) == 4
    assert run.accuracy == (None,) * 4
    assert run.name == "run7"


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["e1_step200.pth", "e2_step5.pth", "e1_step30.pth"], ("e1_step30", "e1_step200", "e2_step5")),
        (["vit16-3.ckpt", "vit16-12.ckpt"], ("vit16-3", "vit16-12")),
        (["007.pt", "10.pt", "8.pt"], ("007", "8", "10")),
        (["2.5.pth", "2.25.pth"], ("2.5", "2.25")),  # versions, not decimal fractions
    ],
)
def test_names_with_several_numbers(names, steps, tmp_path):
    assert vitviz.load_run(write_run(tmp_path / "run", names)).steps == steps


def test_each_is_the_checkpoint_loaded_alone(folder):
    run, pixels = vitviz.load_run(folder), torch.randn(1, 3, 32, 32)
    for index, name in enumerate(("step-20.pth", "step-100.pth", "step-900.pth", "step-1000.pth")):
        alone = vitviz.load(folder / name)
        assert torch.equal(run.load(index)(pixels), alone(pixels)), name
        assert run.load(index).preprocessing == alone.preprocessing
        assert run.load(index).preprocessing.mean == (0.5,) * 3, "an option of the file beside it"
    assert run.load(-1).name == "step-1000"
    for index in (4, -5):
        with pytest.raises(IndexError, match="there are 4"):
            run.load(index)


def test_best_weights_and_training_state_are_left_out(folder):
    torch.save(weights(9), folder / "best.pth")
    torch.save({}, folder / "optimizer-1.pth")
    torch.save({}, folder / "optimizer-2.pth")
    torch.save({}, folder / ".step-5000.pth")
    (folder / "step-6000.pth.txt").write_text("not a checkpoint")
    (folder / "step-7000.pth").mkdir()
    assert vitviz.load_run(folder).steps == ("step-20", "step-100", "step-900", "step-1000")


def test_the_longest_series_is_the_run(folder):
    for name in ("epoch-1.pth", "epoch-2.pth", "epoch-3.pth"):
        torch.save(weights(0), folder / name)
    assert vitviz.load_run(folder).steps[0] == "step-20"
    torch.save(weights(0), folder / "epoch-4.pth")
    with pytest.raises(ModelError, match=mentions("several runs", "'epoch-1.pth'", "'step-20.pth'")):
        vitviz.load_run(folder)


def test_folders_of_a_framework(tmp_path):
    names = [f"checkpoint-{step}/pytorch_model.bin" for step in (1000, 500)]
    folder = write_run(tmp_path / "out", names)
    for name in names:
        (folder / name).with_name("vitviz.toml").write_text("num_heads = 3\n")
    run = vitviz.load_run(str(folder))
    assert run.steps == ("checkpoint-500", "checkpoint-1000")
    assert torch.equal(run.load(1).head.bias, weights(0)["head.bias"])


def test_assumptions_are_said_once(folder):
    (folder / "vitviz.toml").unlink()
    with pytest.warns(vitviz.VitvizWarning, match="attention heads") as warned:
        vitviz.load_run(folder)
    assert {warning.filename for warning in warned} == {__file__}


# --- Memory ----------------------------------------------------------------------------------------------------------


def test_at_most_two_are_in_memory(folder, monkeypatch):
    alive, most = weakref.WeakSet(), []
    load = runs.load_checkpoint

    def counting(*arguments):
        gc.collect()
        most.append(len(alive) + 1)  # with the one that is being loaded
        model = load(*arguments)
        alive.add(model)
        return model

    monkeypatch.setattr(runs, "load_checkpoint", counting)
    run = vitviz.load_run(folder)
    for index in (0, 1, 2, 3, 2, 3, 0):
        run.load(index)
    gc.collect()
    assert len(alive) == 2
    assert max(most) == 2
    assert len(most) == 5, "the last two are not loaded again"
    assert run.load(0) is run.load(0)


# --- Refused ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [({"depth": 3}, "depth"), ({"num_classes": 5}, "num_classes"), ({"patch_size": 8}, "patch_size")],
)
def test_another_configuration_is_refused(changes, field, folder):
    torch.save(weights(0, **changes), folder / "step-100.pth")
    run = vitviz.load_run(folder)
    with pytest.raises(ModelError, match=mentions("'step-100.pth'", field, "'step-20.pth'")):
        run.load(1)
    assert run.load(2).name == "step-900", "the others can be loaded"


@pytest.mark.parametrize("names", [[], ["best.pth"], ["step-1.pth"], ["step-1.pth", "last.pth"]])
def test_a_folder_without_a_run(names, tmp_path):
    with pytest.raises(ModelError, match=mentions("run7", "step-100.pth")):
        vitviz.load_run(write_run(tmp_path / "run7", names))


@pytest.mark.parametrize("name", ["nowhere", "a\0b", "x" * 5000, "run7/step-20.pth"])
def test_what_is_no_folder(name, folder):
    with pytest.raises(ModelError, match="cannot be read"):
        vitviz.load_run(folder.parent / name)


def test_hostile_files_in_a_folder(tmp_path):
    folder = write_run(tmp_path / "run", ["step-1.pth", "step-2.pth"])
    marker = tmp_path / "was here"

    class Attack:
        def __reduce__(self):
            return os.system, (f"touch '{marker}'",)

    (folder / "step-3.pth").write_bytes(pickle.dumps(Attack()))
    (folder / "step-4.pth").write_bytes(b"")
    (folder / f"step-{'9' * 200}.pth").symlink_to(folder / "step-1.pth")
    (folder / "step-5.pth").symlink_to(folder / "step-5.pth")  # in a circle
    os.mkfifo(folder / "step-6.pth")  # reading it would wait for ever
    run = vitviz.load_run(folder)
    assert run.steps == ("step-1", "step-2", "step-3", "step-4", f"step-{'9' * 200}")
    for index, name in ((2, "step-3.pth"), (3, "step-4.pth")):
        with pytest.raises(ModelError, match=mentions(f"'{name}'")):
            run.load(index)
    assert not marker.exists()


# --- On a server -----------------------------------------------------------------------------------------------------


def test_what_a_server_offers_is_a_run_by_its_names(folder, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(folder.parent))
    names = tuple(f"run7/step-{step}.pth" for step in (20, 100, 900, 1000))
    torch.save(weights(8), folder / "best.pth")
    write_run(folder.parent / "run8", ["step-1.pth", "step-2.pth"])
    (folder / "step-2000.pth").symlink_to("/etc/passwd")  # outside of the folder
    assert zoo.run_names("run7/step-900.pth") == names
    assert zoo.run_names("run7/best.pth") == ()
    assert {zoo.series_name(name) for name in names} == {"run7/step-#.pth"}
    assert zoo.series_name("run8/step-1.pth") == "run8/step-#.pth"
    assert zoo.step_name(names[0]) == "step-20"
    run = zoo.run_of(names[0])
    assert run.steps == ("step-20", "step-100", "step-900", "step-1000")
    assert torch.equal(run.load(3).head.bias, zoo.shared(names[3]).head.bias)


def test_folders_of_a_framework_on_a_server(tmp_path, monkeypatch):
    write_run(tmp_path / "out", [f"checkpoint-{step}/pytorch_model.bin" for step in (1000, 500)])
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(tmp_path))
    names = ("out/checkpoint-500/pytorch_model.bin", "out/checkpoint-1000/pytorch_model.bin")
    assert zoo.run_names(names[1]) == names
    assert zoo.step_name(names[0]) == "checkpoint-500"


@pytest.mark.parametrize("name", ["dinov2-small", "../run7/step-20.pth", "run7/step-20.pth\0", "", "nonsense-1.pth"])
def test_other_names_have_no_run(name, folder, monkeypatch):
    monkeypatch.setenv("VITVIZ_CHECKPOINT_DIR", str(folder.parent))
    assert zoo.run_names(name) == ()
    assert zoo.run_of(name) is None
    assert zoo.series_name(name) == name


# --- The shipped run -------------------------------------------------------------------------------------------------


def test_the_shipped_run_ends_with_the_shipped_model(photo):
    run, pixels = vitviz.load_run("digits"), torch.randn(2, 3, 32, 32)
    names = zoo.run_names("digits")
    assert len(run) == len(names) >= 7
    assert names[-1] == "digits"
    assert run.steps[0] == "step-00000"
    assert list(run.steps) == sorted(run.steps)
    outputs = [run.load(index)(pixels) for index in range(len(run))]
    for name, output in zip(names, outputs, strict=True):
        assert torch.equal(vitviz.load(name)(pixels), output), name
        assert zoo.is_on_disk(name)
        assert zoo.run_names(name) == names
        assert zoo.series_name(name) == "digits"
    for before, after in pairwise(outputs):
        assert not torch.allclose(before, after, atol=1e-2), "something changes between any two"


def test_the_folder_of_the_shipped_run_is_a_run_like_any_other():
    run, pixels = vitviz.load_run(run_folder("digits")), torch.randn(2, 3, 32, 32)
    assert run.steps == tuple(one.step for one in shipped_run("digits"))[:-1]
    for index, step in enumerate(run.steps):
        model, same = run.load(index), vitviz.load(f"{RUNS['digits']}/{step}")
        torch.testing.assert_close(model(pixels), same(pixels), atol=1e-5, rtol=1e-5)
        assert (model.labels, model.preprocessing.mean) == (same.labels, same.preprocessing.mean)


def test_a_damaged_checkpoint_of_the_shipped_run_is_said(tmp_path, monkeypatch):
    name = f"{RUNS['digits']}/step-00000"
    data = zoo.entry_of(name).path.read_bytes()
    monkeypatch.setattr(shipped, "assets", lambda: tmp_path)
    path = zoo.entry_of(name).path
    path.parent.mkdir(parents=True)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelError, match=mentions("step-00000", "damaged")):
        vitviz.load(name)
