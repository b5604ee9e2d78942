"""Our own Dockerfile, read and carried out without a container engine: the same commands, under a folder for a root.

It knows what that file uses and refuses the rest. All stages share the root, so a stage's copy of another's folder has
to keep its place; making users and giving files to them is only noted.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

PLACES = re.compile(r"(?<![\w./}])/(src|opt|var)(?=[/\s\"';:]|$)")
NOTED = ("groupadd", "useradd", "install")
SAID = ("FROM", "LABEL", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD")


@dataclass
class Stage:
    """What its instructions came to."""

    base: str
    variables: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    """Instructions that only describe, with what follows them."""
    folder: str = "/"


def instructions(text: str) -> list[tuple[str, str]]:
    """(`RUN`, the rest) and so on; comments are left out, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    found = (line.partition(" ") for line in whole.splitlines() if line.strip())
    return [(name, rest.strip()) for name, _, rest in found]


class Build:
    """`docker build` with a folder as the root of every stage.

    Args:
        context: what `COPY` copies from.
        root: an empty folder.
        arguments: instead of the defaults of `ARG`.
    """

    def __init__(self, file: Path, context: Path, root: Path, **arguments: str) -> None:
        self._context, self._root, self._given = context, root, arguments
        self.stages: list[Stage] = []
        self.users: list[list[str]] = []
        """What was called of `NOTED`."""
        self._tools = self._faked()
        self._global: dict[str, str] = {}
        for name, rest in instructions(file.read_text(encoding="utf-8")):
            self._do(name, rest)

    @property
    def last(self) -> Stage:
        return self.stages[-1]

    def placed(self, text: str) -> str:
        """With the folders of the image under the root."""
        return PLACES.sub(lambda found: f"{self._root}/{found[1]}", text)

    def environment(self) -> dict[str, str]:
        """What a container of the last stage would see, and nothing of the user's settings for this program."""
        return {**self._outside(), **{k: self.placed(v) for k, v in self.last.variables.items() if k != "PATH"}}

    def command(self, name: str) -> list[str]:
        """`ENTRYPOINT`, `CMD` or the command of the health check, in their list form."""
        rest = self.last.said[name]
        return json.loads(rest[rest.index("[") :])

    def _do(self, name: str, rest: str) -> None:
        if name == "ARG":
            key, _, value = rest.partition("=")
            inherited = self._global.get(key, value)
            (self.last.variables if self.stages else self._global)[key] = self._given.get(key, inherited)
        elif name == "FROM":
            self.stages.append(Stage(_filled(rest, self._global)))
        elif name == "ENV":
            self.last.variables |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif name == "WORKDIR":
            self.last.folder = rest
            Path(self.placed(rest)).mkdir(parents=True, exist_ok=True)
        elif name == "RUN":
            self._run(rest)
        elif name == "COPY":
            self._copy(rest)
        elif name in SAID:
            self.last.said[name] = rest
        else:
            raise AssertionError(f"the Dockerfile holds {name}, which this cannot carry out")

    def _run(self, command: str) -> None:
        environment = {**self._outside(), **self.last.variables, "PATH": f"{self._tools}:/usr/bin:/bin"}
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", self.placed(command)],
            cwd=self.placed(self.last.folder),
            env=environment,
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        calls = self._tools / "calls"
        if calls.exists():
            self.users += [line.split() for line in calls.read_text(encoding="utf-8").splitlines()]
            calls.unlink()

    def _copy(self, rest: str) -> None:
        *sources, target = rest.split()
        if sources[0].startswith("--from="):
            assert sources[1:] == [target], f"COPY {rest}: all stages share one root here"
            assert Path(self.placed(target)).exists(), target
            return
        into = Path(self.placed(self.last.folder)) / target
        for source in sources:
            path = self._context / source
            if path.is_dir():
                shutil.copytree(path, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(path, into)

    def _faked(self) -> Path:
        """`python` as in the base image; programs that change the system, which write down how they were called."""
        tools = self._root / "tools"
        tools.mkdir(parents=True)
        (tools / "python").symlink_to(sys.executable)
        for name in NOTED:
            (tools / name).write_text(f'#!/bin/sh\necho "{name} $*" >> "{tools}/calls"\n', encoding="utf-8")
            (tools / name).chmod(0o755)
        return tools

    def _outside(self) -> dict[str, str]:
        """What pip needs to find packages here."""
        kept = ("PIP_", "SSL_", "REQUESTS_", "HTTP_", "HTTPS_", "NO_PROXY", "http_", "https_", "no_proxy")
        own = {name: value for name, value in os.environ.items() if name.startswith(kept)}
        return {**own, "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8"}


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: values[found[1]], text)
