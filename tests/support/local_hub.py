"""Local hub with one small model, for tests of downloads."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save

NAME = "test_vit.r160_in1k"  # 0.4 million parameters
FILE = "/timm/test_vit.r160_in1k/resolve/main/model.safetensors"
COMMIT = "0123456789012345678901234567890123456789"


@pytest.fixture(scope="session")
def made():
    """A random timm model."""
    torch.manual_seed(0)
    return timm.create_model("test_vit").eval().requires_grad_(False)


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and the address of the hub: a closed port, unless a test starts a server."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    point_at(monkeypatch, "http://127.0.0.1:1")
    return tmp_path


def point_at(monkeypatch, url):
    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}")


@pytest.fixture
def server(cache, monkeypatch, made):
    """Local hub. `files` are its files; `status` and `cut` make downloads fail."""
    state = SimpleNamespace(files={FILE: save(made.state_dict())}, asked=[], status={}, cut=[])

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.answer(with_body=False)

        def do_GET(self):
            self.answer(with_body=True)

        def answer(self, with_body):
            state.asked.append((self.command, self.path))
            data = state.files.get(self.path)
            status = state.status.get(self.command) or (404 if data is None and self.path != "/" else 200)
            body = data if data is not None and status == 200 else b""
            self.send_response(status)
            if status == 404:
                self.send_header("X-Error-Code", "EntryNotFound")
            if status == 403:
                self.send_header("X-Error-Code", "GatedRepo")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header(
                "ETag", f'"{hashlib.sha256(data or b"").hexdigest()}"'
            )  # by which the cache identifies files
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if with_body and state.cut and body:
                self.wfile.write(body[: state.cut.pop()])
                state.status["GET"] = 500  # so that the client cannot resume the download
                self.close_connection = True
            elif with_body:
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    point_at(monkeypatch, state.url)
    yield state
    server.shutdown()
    server.server_close()
