"""Serve the page of a notebook as an app of its own, with Voilà: the cells tagged `app`, and nothing else.

Usage: python tools/app.py notebooks/08_isolation_lab.ipynb [any argument of voila]
       --hosts=NAME      a name, beside localhost, by which browsers reach the app: behind a proxy, say
       --folders=FOLDER  read files by their path below this folder only; may be given more than once
       --kernels=8       how many pages may be open at once

On loopback alone it asks for nothing. Reached by another address, or name, it asks for a token, which stands in the
address that is printed, and reads files by their path from the data folder only.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import logging
import os
import re
import secrets
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any

# A grammar that nobody needs here, and that jsonschema would spend two seconds on each time the app is started.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

import nbformat
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.routing import Matcher, Rule
from tornado.web import HTTPError, RequestHandler
from traitlets import Integer, List, Unicode
from traitlets.config import Config
from voila.app import Voila
from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from lstm_lib.lab.settings import FOLDERS
from lstm_lib.series.files import data_folder
from tools.lab import environment, has_display, one_port

TEMPLATE = Path(__file__).resolve().parent / "app_template"
UNSEEN = 600  # seconds after which a kernel ends that no page is connected to


def app_of(notebook: Any, folder: Path) -> Any:
    """The cells of a notebook that make the app; they run in `folder`, where a user's files are looked for."""
    cells = [cell for cell in notebook.cells if "app" in cell.metadata.get("tags", ())]
    if not cells:
        raise SystemExit("No cell of the notebook is tagged `app`.")
    there = nbformat.v4.new_code_cell(f"import os\nos.chdir({str(folder)!r})")
    return nbformat.v4.new_notebook(cells=[there, *cells], metadata=notebook.metadata)


def is_local(name: str) -> bool:
    """Whether a host is this machine's loopback, which no other machine reaches.

    >>> [is_local(name) for name in ("localhost", "127.0.0.2", "[::1]", "", "0.0.0.0", "localhost.example.org")]
    [True, True, True, False, False, False]
    """
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    return name == "localhost"


class Kernels(AsyncMappingKernelManager):  # type: ignore[misc]
    """The kernels of the open pages, of which there are at most so many."""

    starting = 0

    async def start_kernel(self, **options: Any) -> str:
        """Start one more, or refuse the page with what to do."""
        most = self.parent.kernels
        if len(self) + self.starting >= most:
            raise HTTPError(
                503,
                f"{most} page{'s are' if most > 1 else ' is'} open, which is all that this app allows. Close one, "
                "and this one opens.",
            )
        self.starting += 1
        quiet = {"extra_arguments": ["--log-level=ERROR"]}  # it warns of TCP, which stays on this machine
        try:
            return str(await super().start_kernel(**quiet, **options))
        finally:
            self.starting -= 1


class Shutdown(VoilaShutdownKernelHandler):  # type: ignore[misc]
    """Ends the kernel of a page that was closed: who knows its id may do so, and a closing page has no _xsrf cookie."""

    def check_xsrf_cookie(self) -> None:
        """Nothing."""


class Elsewhere(Matcher):  # type: ignore[misc]
    """Matches what is asked of a name that isn't this app's: so no page of the internet can reach it by one."""

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Nothing, so that other rules are asked; or no arguments for the handler of this one."""
        name = request.host_name
        return None if is_local(name) or name in self.names else {}


class Refusal(RequestHandler):  # type: ignore[misc]
    """Says by which names the app can be reached, and how to add one."""

    def prepare(self) -> None:
        """Whatever was asked."""
        name = self.request.host_name
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(
            f"The app doesn't answer to {name}. If that is its name: make app APP_ARGS=--hosts={name}\n"
        )


class App(Voila):  # type: ignore[misc]
    """Voilà with a door: who may enter, by which name, how many at once, and what its files may be."""

    port = Integer(8866, config=True, help="Where it listens.")
    hosts = List(Unicode(), config=True, help="Names, beside localhost, by which browsers reach the app.")
    folders = List(Unicode(), config=True, help="Files are read by their path below these folders only.")
    kernels = Integer(8, config=True, help="How many pages may be open at once.")
    aliases = {  # noqa: RUF012
        **Voila.aliases, "ip": "Voila.ip", "hosts": "App.hosts", "folders": "App.folders", "kernels": "App.kernels",
    }  # fmt: skip

    @property
    def exposed(self) -> bool:
        """Whether somebody else than who started it might reach it."""
        return not is_local(self.ip) or bool(self.hosts)

    @property
    def address(self) -> str:
        """Where it answers; for all addresses of the machine, where it answers on this one."""
        host = "localhost" if self.ip in ("", "0.0.0.0", "::") else self.ip
        host = f"[{host}]" if ":" in host else host
        token = f"?token={self.identity_provider.token}" if self.identity_provider.token else ""
        return f"http://{host}:{self.port}{self.server_url}{token}"

    def initialize(self, argv: Any = None) -> None:
        """Read the arguments, and close what they leave open."""
        super().initialize(argv)
        self.base_url = f"/{self.base_url.strip('/')}/".replace("//", "/")
        self.server_url = f"/{(self.server_url or self.base_url).strip('/')}/".replace("//", "/")
        if self.exposed:
            if self.token is None and not self.auto_token:
                self.token = os.environ.get("JUPYTER_TOKEN") or secrets.token_hex(16)
            self.folders = self.folders or [str(data_folder())]
        if self.folders:  # the kernels are told so
            os.environ[FOLDERS] = os.pathsep.join(str(Path(folder).resolve()) for folder in self.folders)

    def init_handlers(self) -> Any:
        """Voilà's, with our own way to end a kernel."""
        return [
            (path, Shutdown if handler is VoilaShutdownKernelHandler else handler, *more)
            for path, handler, *more in super().init_handlers()
        ]

    def listen(self) -> None:
        """Serve until it is stopped; the address is told when it is answered."""
        if self.hosts or is_local(self.ip):  # by an open address, any name leads here, and the token protects
            self.app.default_router.rules.insert(0, Rule(Elsewhere(list(self.hosts)), Refusal))
        if self.kernels < 1:
            raise SystemExit(
                f"--kernels is {self.kernels}; expected how many pages may be open at once, such as 8: make app "
                "APP_ARGS=--kernels=8"
            )
        if not 0 <= self.port < 65536:
            raise SystemExit(
                f"The port is {self.port}; expected a number from 1 to 65535: make app APP_PORT=8866"
            )
        try:
            sockets = bind_sockets(self.port, self.ip)
        except OSError as error:
            raise SystemExit(self.why_not(error)) from None
        self.port = sockets[0].getsockname()[1]
        HTTPServer(self.app).add_sockets(sockets)
        if self.open_browser:
            self.launch_browser()
        self.ioloop = IOLoop.current()
        self.ioloop.add_callback(self.tell)
        try:
            self.ioloop.start()
        except KeyboardInterrupt:
            print()
        finally:
            self.stop()

    def tell(self) -> None:
        """Where it is."""
        print(
            f"The app runs at {self.address}", "Open it in a browser; Ctrl-C stops it.", sep="\n", flush=True
        )
        if not is_local(self.ip):
            print(
                f"From other machines: {self.address.replace('localhost', socket.gethostname(), 1)}",
                flush=True,
            )
            print("Whoever has the address can use it; the connection isn't encrypted.", flush=True)

    def why_not(self, error: OSError) -> str:
        """Why it can't listen, and what to type."""
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            why = "is in use" if error.errno == errno.EADDRINUSE else "may only be used by root"
            return f"Port {self.port} {why}. Take another one: make app APP_PORT={free_port(self.port)}"
        return f"There is no address ip={self.ip!r} to listen at ({error}). Without an ip the app is at localhost."


def free_port(taken: int) -> int:
    """The next port that is free on loopback."""
    for port in range(max(taken + 1, 1024), 65536):
        with contextlib.suppress(OSError), socket.socket() as tried:
            tried.bind(("127.0.0.1", port))
            return port
    return 8866


def main(arguments: list[str]) -> None:
    if not arguments:
        raise SystemExit(f"Give the notebook of the app; or type `make app` in the checkout.\n\n{__doc__}")
    path, *more = arguments
    os.environ.update(environment(os.environ))
    known = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = os.pathsep.join([str(TEMPLATE), *([known] if known else [])])
    if not Path(path).is_file():
        raise SystemExit(f"There is no {path} in {Path.cwd()}; start this with `make app` in the checkout.")
    for name in re.findall(r"^--([\w-]+)(?==|$)", "\n".join(more), flags=re.MULTILINE):
        if name not in {*App.aliases, *App.flags, "help", "help-all"}:
            raise SystemExit(
                f"There is no argument --{name}; the short ones are --{', --'.join(sorted(App.aliases))}"
            )
    with tempfile.TemporaryDirectory(prefix="lstm_lib_") as folder:
        page = Path(folder) / "isolation_lab.ipynb"
        nbformat.write(app_of(nbformat.read(path, as_version=4), Path.cwd()), page)
        settings = {  # in the place of a configuration file, so that an argument overrides them
            "Voila": {
                "log_level": logging.ERROR, "open_browser": has_display(),
                "tornado_settings": {"log_function": lambda handler: None},  # not each request that was refused
            },
            "VoilaConfiguration": {
                "template": "offline", "theme": "light", "show_tracebacks": True,
                "multi_kernel_manager_class": Kernels,
            },
            "MappingKernelManager": {"cull_idle_timeout": UNSEEN, "cull_interval": UNSEEN // 10},
        }  # fmt: skip
        # Jupyter's own pings are too long for it
        logging.getLogger("tornado.general").setLevel(logging.ERROR)
        for text in re.findall(r"^--(?:\w+\.)?port=(.*)$", "\n".join(more), flags=re.MULTILINE):
            if not re.fullmatch(r"-?\d+", text):
                raise SystemExit(
                    f"The port is {text!r}; expected a number from 1 to 65535: make app APP_PORT=8866"
                )
        try:
            App.launch_instance([str(page), *one_port(more)], config=Config(settings))
        except ValueError as error:
            raise SystemExit(f"The app can't start: {error}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
