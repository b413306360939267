"""A scan whose process is killed, again and again, ends with the rows of an undisturbed one."""

import itertools
import json
import random
import signal
import subprocess
import time

import pytest

import vitviz
from tests.support.command_line import PROCESS
from tests.support.scans import NOT_AN_IMAGE, rows_of, write_images

pytestmark = pytest.mark.slow

COUNT, SIZE = 240, 4


@pytest.mark.parametrize("kills", [2, pytest.param(10, marks=pytest.mark.exhaustive)])
def test_killed_at_random_moments(tmp_path, kills):
    write_images(tmp_path / "photos", COUNT)
    for i in (5, 70, 239):
        (tmp_path / "photos" / f"{i}.png").write_bytes(NOT_AN_IMAGE)
    model, chance = vitviz.load("digits"), random.Random(7)
    options = ("-m", "digits", "-o", str(tmp_path / "run"), "--shard-size", str(SIZE), "--patch-tokens", "1", "--json")
    command = (*PROCESS, "scan", str(tmp_path / "photos"), *options, "--resume")
    kept: set[str] = set()
    for turn in range(kills):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            # Some are killed while they start, the others within a shard, or between two.
            if turn % 3 == 0 and turn:
                time.sleep(chance.uniform(0, 3))
            else:
                wanted = itertools.islice(process.stdout, chance.randint(1, 3))
                assert all("shard" in line or "image" in line for line in wanted)
                time.sleep(chance.uniform(0, 0.06))
            assert process.poll() is None, "it was not killed"
            process.send_signal(signal.SIGKILL)
        complete = {path.name for path in (tmp_path / "run").glob("images-*.parquet")}
        assert kept <= complete
        assert {name.replace("images", "tokens") for name in complete} <= {
            path.name for path in (tmp_path / "run").glob("tokens-*.parquet")
        }
        kept = complete
        assert json.loads((tmp_path / "run" / "run.json").read_text())["state"] == "running"
        partial = vitviz.open_scan(tmp_path / "run")
        assert len(partial) >= SIZE * len(complete) - 3, "what is there can be read"
    assert 0 < len(kept) < COUNT / SIZE
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, "three images cannot be read"
    undisturbed = vitviz.scan(tmp_path / "photos", model, tmp_path / "whole", shard_size=SIZE, patch_tokens=[0])
    ends = rows_of(vitviz.open_scan(tmp_path / "run"))
    assert [a.equals(b) for a, b in zip(ends, rows_of(undisturbed), strict=True)] == [True] * 3
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        path.name for path in (tmp_path / "whole").iterdir()
    }
