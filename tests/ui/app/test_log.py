"""Log lines for operators: each kind of request has one, and none contains personal data."""

import asyncio
import io
import logging
import time
from urllib.error import HTTPError

import numpy as np
import pytest
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg

from benchmarks.session import Session, direct
from scripts.app_server import running_app
from tests.support.event_loops import run_to_its_end
from tests.support.facts import assert_mentions
from vitviz.errors import ImageError
from vitviz.ui.app import class_images
from vitviz.ui.app.class_images import ClassImages

FORMAT = "--logger.messageFormat=%(name)s %(levelname)s %(message)s"
TELLING = "anna-schmidt-class-7b.jpg"
ZONE, PICKER = "sidebar_upload_", "attention_picker"
PATIENCE = 120  # seconds


def photo():
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def metrics(url):
    with direct.open(f"{url}/_stcore/metrics") as answer:
        return answer.read().decode()


async def wait_for(url, text):
    until = time.monotonic() + PATIENCE
    while text not in (found := await asyncio.to_thread(metrics, url)):
        assert time.monotonic() < until, found
        await asyncio.sleep(0.2)


async def download(session):
    """Download the summary of a lesson, whose file name contains that of the image."""
    _, element = session.elements["summary"]
    message = BackMsg()
    request = message.backend_operation_request
    request.session_id, request.request_id = session._session, "1"
    request.deferred_file.file_id = element.download_button.deferred_file_id
    await session.socket.send(message.SerializeToString())
    while (answer := await session._next()).WhichOneof("type") != "backend_operation_response":
        pass
    address = session.url + answer.backend_operation_response.deferred_file.url
    with await asyncio.to_thread(direct.open, address) as file:
        assert TELLING.partition(".")[0] in file.headers["Content-Disposition"]


async def everything(url, names):
    """Do all that is logged; add what must not be in the log to `names`."""
    session = Session(url)
    await session.connect()
    await session.open("attention")
    await session.upload(photo(), f"{ZONE}0", shown=PICKER, name=TELLING)
    await download(session)
    await session.upload(b"no image " * 50, f"{ZONE}1", shown=PICKER, name=TELLING)
    await session.click("class_link")
    await session.click("class_share")
    (share,) = [key for key in session.elements if key.startswith("class_end_")]
    await session.click(share)
    for _ in range(8):  # more than this is refused
        await session.send_file(b"x" * 1000, TELLING)
    with pytest.raises(HTTPError):
        await session.send_file(b"x" * 1000, TELLING)
    names += [session._session, share.removeprefix("class_end_")]
    await session.leave()
    other = Session(url)
    await other.connect()
    await other.open("explain", "model=digits&image=digit-4")
    await other.click("explain_compute_occlusion_0")
    await wait_for(url, 'vitviz_jobs_ended_total{kind="map",outcome="finished"}')
    await other.leave()


def test_the_log_tells_of_each_kind_of_request_and_of_nobody(tmp_path):
    log, names = tmp_path / "log", [TELLING, TELLING.partition(".")[0], "digit-4"]
    with running_app(FORMAT, environment={"VITVIZ_CLASS_HOURS": "1"}, log=log) as url:
        run_to_its_end(everything(url, names))
        figures = metrics(url)
    text = log.read_text()
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("vitviz.")]
    for begin, *facts in (
        ("vitviz.ui.app.sessions INFO Upload accepted", len(photo()), "JPEG"),
        ("vitviz.ui.app.sessions INFO Upload refused", 450),
        ("vitviz.ui.app.serving.request_log INFO Download", "text/html"),
        ("vitviz.ui.app.serving.request_log INFO Upload refused by the server", 429),
        ("vitviz.ui.app.class_images INFO Sharing begun", len(photo())),
        ("vitviz.ui.app.class_images INFO Sharing ended", len(photo())),
        ("vitviz.ui.app.jobs.queue INFO Job begun", "map"),
        ("vitviz.ui.app.jobs.queue INFO Job finished", "map"),
    ):
        found = [line for line in lines if line.startswith(begin)]
        assert len(found) == 1 or ("Job" in begin and found), begin  # a slow map begins with coarse ones
        assert_mentions(found[0], *facts)
    for name in names:
        assert name
        assert name not in text, name
    assert not [line for line in lines if "127.0.0.1" in line]
    assert 'vitviz_job_seconds_count{kind="map"}' in figures
    (passes,) = [line for line in figures.splitlines() if line.startswith("vitviz_forward_pass_seconds_count")]
    assert int(passes.split()[-1]) >= 3


def test_the_end_of_a_share_is_logged_also_when_its_time_is_over(caplog):
    now = [0.0]
    store = ClassImages(lambda: now[0])
    with caplog.at_level(logging.INFO, class_images.__name__):
        share = store.share(b"image", hours=1, owner="teacher", title=TELLING)
        now[0] = 3601
        assert store.find(share.name) is None
    assert len(caplog.messages) == 2
    for name in (TELLING, share.name, share.digest, "teacher"):
        assert name not in caplog.text


def test_a_share_that_is_refused_has_not_begun(caplog):
    store = ClassImages(lambda: 0.0, most_bytes=10)
    with caplog.at_level(logging.INFO, class_images.__name__), pytest.raises(ImageError):
        store.share(b"too large an image", hours=1, owner="teacher")
    assert caplog.messages == []
