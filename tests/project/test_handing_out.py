"""The hub hands out what a student lacks and nothing else; Binder installs what is locked and makes the edition."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


class Settings(SimpleNamespace):
    """Takes any setting, as JupyterHub's own does."""

    def __getattr__(self, name: str) -> Any:
        setattr(self, name, Settings())
        return getattr(self, name)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The hub's configuration, with an edition of two notebooks and a page."""
    monkeypatch.setenv("LSTM_COURSE", str(tmp_path))
    (tmp_path / "student" / ".progress").mkdir(parents=True)
    for name in ("00_start_here.ipynb", "01a_chain.ipynb", "words.md"):
        (tmp_path / "student" / name).write_text("new", encoding="utf-8")
    config = Settings()
    found = runpy.run_path(
        str(ROOT / "docs/hub/jupyterhub_config.py"), init_globals={"get_config": lambda: config}
    )
    assert found["c"] is config
    return found


def test_the_hub_hands_out_what_is_lacking(hub: dict[str, Any], tmp_path: Path) -> None:
    mine = tmp_path / "home" / hub["FOLDER"] / "01a_chain.ipynb"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    assert hub["hand_out"](tmp_path / "home") == ["00_start_here.ipynb", "words.md"]
    assert hub["hand_out"](tmp_path / "home") == []
    assert mine.read_text(encoding="utf-8") == "mine"
    assert hub["c"].Spawner.default_url.endswith("/00_start_here.ipynb")


def test_the_hub_starts_after_it_has_handed_out(hub: dict[str, Any], tmp_path: Path) -> None:
    pwd = pytest.importorskip("pwd", reason="users of this machine are a matter of Unix")
    me = pwd.getpwuid(os.getuid())
    there = SimpleNamespace(pw_dir=str(tmp_path / "home"), pw_uid=me.pw_uid, pw_gid=me.pw_gid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pwd, "getpwnam", {"ann": there}.__getitem__)
        hub["c"].Spawner.pre_spawn_hook(SimpleNamespace(user=SimpleNamespace(name="ann")))
    assert (tmp_path / "home" / hub["FOLDER"] / "00_start_here.ipynb").stat().st_uid == me.pw_uid


def test_binder_installs_the_locked_versions_and_makes_the_edition() -> None:
    wanted = (ROOT / "binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in wanted if line and line[0] != "#"]
    assert line.startswith("-r ") and (ROOT / "binder" / line[3:]).resolve() == ROOT / "requirements.txt"
    made = ROOT / "binder" / "postBuild"
    assert os.access(made, os.X_OK)
    assert "python tools/student.py" in made.read_text(encoding="utf-8")
