"""Concurrent decoding: the number of images decoded at once, and their memory."""

import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from tests.support.app_pages import picture
from vitviz.images import reading


def test_two_images_are_decoded_at_once_and_the_others_wait(monkeypatch):
    both, running, most = threading.Barrier(2), [], []
    lock = threading.Lock()

    def read(_data):
        with lock:
            running.append(1)
            most.append(len(running))
        both.wait(60)  # so two are let in
        with lock:
            running.pop()
        return reading.SafeImage(Image.new("RGB", (9, 9)))

    monkeypatch.setitem(reading._READERS, "PNG", read)
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(reading.read_image, [picture()] * 8))) == 8
    assert max(most) == 2


def test_more_are_decoded_at_once_where_they_are_let():
    free = reading._decoding._value
    with reading.decoders(5), reading.decoders(3):
        assert all(reading._decoding.acquire(blocking=False) for _ in range(5))
        for _ in range(5):
            reading._decoding.release()
    assert reading._decoding._value == free == 2
    with reading.decoders(1):
        assert reading._decoding._value == 2


@pytest.mark.skipif(not os.path.exists("/proc/self/clear_refs"), reason="reads Linux's /proc")
def test_four_small_files_of_large_images_take_no_more_memory_than_two():
    """2.5 kB of WebP with 64 megapixels and transparency: four at once would take 6.4 GB without limits."""
    buffer = io.BytesIO()
    Image.new("RGBA", (8000, 8000), (9, 99, 199, 128)).save(buffer, "WEBP", lossless=True)
    assert len(buffer.getvalue()) < 3000
    code = """
import re, sys
from concurrent.futures import ThreadPoolExecutor
from vitviz.images import read_image
data = sys.stdin.buffer.read()
with ThreadPoolExecutor(4) as threads:
    for size in threads.map(lambda _: read_image(data).rgb.size, range(4)):
        assert size == (8000, 8000)
print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""
    done = subprocess.run([sys.executable, "-c", code], input=buffer.getvalue(), capture_output=True, check=True)
    assert int(done.stdout) / 1e6 < 2.6, "gigabytes at the most"
