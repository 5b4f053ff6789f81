"""Where weights are looked for, that unknown ones are refused, that a failed download leaves nothing, and no torch."""

from __future__ import annotations

import hashlib
import http.server
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.features import sources
from bench.features.sources import INCEPTION_SHA256, INCEPTION_URL, hub_checkpoints, resolve, resolve_all
from bench.run.caveats import of_extractors
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE_NAME = INCEPTION_URL.rsplit("/", 1)[-1]
CONTENT = b"weights of some network" * 100_000


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty torch hub cache; the path that pytorch-fid's file has in it."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints" / FILE_NAME


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the sha256 of CONTENT for the official one: the official file is not at hand."""
    monkeypatch.setattr(sources, "INCEPTION_SHA256", hashlib.sha256(CONTENT).hexdigest())


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@contextmanager
def server(body: bytes, status: int = 200, length: int | None = None) -> Iterator[str]:
    """A web server on this machine that gives one file; its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body) if length is None else length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}/{FILE_NAME}"
        httpd.shutdown()
        thread.join()


def refusal(work: Callable[[], object]) -> str:
    with pytest.raises(InputError) as error:
        work()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_sha256_continues_the_prefix_that_the_file_name_carries() -> None:
    assert len(INCEPTION_SHA256) == 64
    assert FILE_NAME.endswith(f"-{INCEPTION_SHA256[:8]}.pth")


def test_the_address_is_pytorch_fids() -> None:
    from pytorch_fid.inception import FID_WEIGHTS_URL

    assert INCEPTION_URL == FID_WEIGHTS_URL


@pytest.mark.parametrize("variables", [{"TORCH_HOME": "a"}, {"XDG_CACHE_HOME": "b"}, {"HOME": "c"}])
def test_the_cache_is_torch_hubs(variables: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch import hub

    for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    assert hub_checkpoints() == Path(hub.get_dir()) / "checkpoints"


def test_missing_weights_say_where_to_put_them_and_what_works_offline(cache: Path) -> None:
    says = refusal(lambda: resolve("inception"))
    assert str(cache) in says
    assert INCEPTION_URL in says
    assert 'features = ["efficientnet-lite0"]' in says


def test_weights_are_found_in_the_cache_or_by_path(cache: Path, tmp_path: Path, known: None) -> None:
    put(cache)
    cached = resolve("inception")
    assert (cached.path, cached.label, cached.dim, cached.verified) == (cache, "FID", 2048, True)
    given = resolve("inception", put(tmp_path / "mine.pth"))
    assert given.path == tmp_path / "mine.pth"
    assert given.fingerprint == cached.fingerprint


@pytest.mark.parametrize("where", ["cache", "path"])
def test_unknown_weights_are_refused_unless_allowed_and_then_unverified(
    where: str, cache: Path, tmp_path: Path
) -> None:
    weights = put(cache if where == "cache" else tmp_path / "mine.pth")
    given = weights if where == "path" else None
    says = refusal(lambda: resolve("inception", given))
    assert str(weights) in says
    assert "allow_unverified_weights" in says
    allowed = resolve("inception", given, allow_unverified=True)
    assert not allowed.verified
    assert allowed.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_a_path_without_a_file_does_not_fall_back_to_the_cache(cache: Path, tmp_path: Path, known: None) -> None:
    put(cache)
    assert "mine.pth" in refusal(lambda: resolve("inception", tmp_path / "mine.pth", allow_unverified=True))
    assert "cannot be read" in refusal(lambda: resolve("inception", tmp_path))


def test_other_weights_give_another_fingerprint(tmp_path: Path) -> None:
    one, other = (
        resolve("inception", put(tmp_path / str(content), content), allow_unverified=True) for content in (b"a", b"b")
    )
    assert one.fingerprint != other.fingerprint


def test_the_network_is_used_only_where_asked_for(cache: Path, known: None, monkeypatch: pytest.MonkeyPatch) -> None:
    with server(CONTENT) as url:
        monkeypatch.setattr(sources, "INCEPTION_URL", url)
        refusal(lambda: resolve("inception"))
        assert not cache.exists()
        heard: list[tuple[int, int]] = []
        source = resolve("inception", download=True, progress=lambda done, total: heard.append((done, total)))
    assert source.verified
    assert cache.read_bytes() == CONTENT
    assert heard[-1] == (len(CONTENT), len(CONTENT))
    assert list(cache.parent.iterdir()) == [cache]
    assert resolve("inception", download=True) == source  # the server is gone: it comes from the cache


@pytest.mark.parametrize(
    ("body", "status", "length", "says"),
    [
        (b"something else", 200, None, "damaged"),
        (CONTENT[:-1], 200, len(CONTENT), "damaged"),
        (b"", 404, None, "Not Found"),
    ],
)
@pytest.mark.parametrize("allow_unverified", [False, True])
def test_a_failed_download_names_the_remedy_and_leaves_nothing(
    body: bytes, status: int, length: int | None, says: str, allow_unverified: bool,
    cache: Path, known: None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    with server(body, status, length) as url:
        monkeypatch.setattr(sources, "INCEPTION_URL", url)
        message = refusal(lambda: resolve("inception", None, allow_unverified, download=True))
    assert says in message
    assert str(cache) in message
    assert "efficientnet-lite0" in message
    assert list(cache.parent.iterdir()) == []


def test_no_server_or_no_place_for_the_file_is_one_line(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(b"") as url:
        monkeypatch.setattr(sources, "INCEPTION_URL", url)
    assert "refused" in refusal(lambda: resolve("inception", download=True))
    put(tmp_path / "a file")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "a file"))
    assert "efficientnet-lite0" in refusal(lambda: resolve("inception", download=True))


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    says = refusal(lambda: resolve("clip"))
    assert '"clip"' in says
    assert "efficientnet-lite0, inception" in says


def test_weights_go_to_the_extractor_that_takes_them(tmp_path: Path) -> None:
    weights = put(tmp_path / "mine.pth")
    found = resolve_all(("efficientnet-lite0", "inception"), weights, allow_unverified=True)
    assert found == (resolve("efficientnet-lite0"), resolve("inception", weights, allow_unverified=True))
    assert "ships with its own" in refusal(lambda: resolve_all(("efficientnet-lite0",), weights))


def test_the_offline_extractor_is_verified_and_never_called_fid() -> None:
    offline = resolve("efficientnet-lite0")
    assert (offline.label, offline.verified) == ("FD", True)


def test_an_extractor_of_an_earlier_version_is_replaced_and_the_run_says_so() -> None:
    replaced, current = resolve("cifar-resnet"), resolve("efficientnet-lite0")
    assert replaced.in_place_of == "cifar-resnet"
    assert (replaced.name, replaced.fingerprint) == (current.name, current.fingerprint)
    assert "cifar-resnet is no longer part of maskbench" in of_extractors(10_000, [replaced])[0]
    assert of_extractors(10_000, [current]) == []
    assert "name it once" in refusal(lambda: resolve_all(("cifar-resnet", "efficientnet-lite0")))


def test_sources_import_no_torch() -> None:
    code = "import sys, bench.features.sources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
