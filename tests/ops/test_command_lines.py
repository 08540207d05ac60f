"""What the shells of compose and Helm do with a secret: no program gets one as an argument."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.support.compose import OURS, ROOT, SERVICES
from tests.support.helm import FOLDER

# What a shell puts in the place of `$(cat FILE)` or `$(< FILE)`, with a file of ours.
READ = re.compile(r"\$\([^()]*/secrets/[^()]*\)|`[^`]*/secrets/[^`]*`")
HELD = "THE-SECRET"
# These a shell is itself: no process of theirs is to be seen.
BUILT_IN = {"printf", "echo", ":"}
DOCS = (ROOT / "docs" / "deployment.md").read_text()


class Shown:
    """What a script shows of secrets: the programs that get one, and variables that hold one."""

    def __init__(self, script: str) -> None:
        self.arguments: list[str] = []
        self.variables: set[str] = set()
        known: set[str] = set()  # variables of the shell alone
        for line in READ.sub(HELD, script).splitlines():
            for name in known:
                line = re.sub(rf"\$\{{?{name}\b\}}?", HELD, line)
            for words in self._commands(line):
                self._command(words, known)

    @staticmethod
    def _commands(line: str) -> Iterator[list[str]]:
        lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
        lexer.whitespace_split = True
        words: list[str] = []
        for word in lexer:
            if set(word) <= set("|&;"):
                yield words
                words = []
            else:
                words.append(word)
        yield words

    def _command(self, words: list[str], known: set[str]) -> None:
        while words and words[0] in ("exec", "if", "then", "while", "!"):
            words = words[1:]
        given = set()
        while words and (match := re.match(r"(\w+)=", words[0])):
            if HELD in words[0]:
                given.add(match[1])
            words = words[1:]
        if not words:
            known |= given
            return
        self.variables |= given
        if words[0] == "export":
            exported = {word.split("=")[0] for word in words[1:]}
            self.variables |= {word.split("=")[0] for word in words[1:] if HELD in word}
            self.variables |= exported & known
        elif any(HELD in word for word in words) and words[0] not in BUILT_IN:
            self.arguments.append(words[0])


def scripts(node: Any) -> Iterator[str]:
    """Yield every text in which a shell would read a secret, without `sh -c` before it."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from scripts(one)
    elif isinstance(node, str) and READ.search(text := node.replace("$$", "$")):
        yield shlex.split(text)[-1] if text.startswith("sh -c ") else text


CHARTS = {
    file.name: list(yaml.safe_load_all(file.read_text())) for file in sorted(FOLDER.glob("*.yaml"))
}
# The old way to make the first user, by which its password was on a command line at every start.
OLD = 'airflow users create --role Admin --password "$(cat /run/secrets/admin_password)"'


@pytest.mark.parametrize(
    ("script", "arguments", "variables"),
    [
        (OLD, ["airflow"], set()),
        ("exec redis-server --requirepass $(< /run/secrets/x)", ["redis-server"], set()),
        ("X=$(cat /run/secrets/x)\ncurl -u me:${X} y", ["curl"], set()),
        ("true && curl -u `cat /run/secrets/x` | cat", ["curl"], set()),
        ("X=$(cat /run/secrets/x) psql", [], {"X"}),
        ("X=$(cat /run/secrets/x)\nexport X\nexec psql", [], {"X"}),
        ('export X="$(cat /run/secrets/x)"', [], {"X"}),
        ("printf 'x %s' \"$(cat /run/secrets/x)\" > /tmp/it", [], set()),
        ('X=$(cat /run/secrets/x)\nprintf "$X" | psql', [], set()),
    ],
)
def test_what_a_script_shows_of_a_secret_is_found(
    script: str, arguments: list[str], variables: set[str]
) -> None:
    shown = Shown(script)
    assert (shown.arguments, shown.variables) == (arguments, variables)


@pytest.mark.parametrize("file", ["docker-compose.yaml", *CHARTS])
def test_no_program_gets_a_secret_as_an_argument(file: str) -> None:
    found = list(scripts(CHARTS.get(file, SERVICES)))
    assert found or file == "metrics.yaml" or file == "values-kubernetes.yaml"
    for script in found:
        assert not Shown(script).arguments, script


def test_every_environment_that_holds_a_secret_is_listed_with_its_service() -> None:
    held = set()
    for name, service in SERVICES.items():
        shell = [service.get("command"), service.get("healthcheck")]
        held |= {(name, one) for script in scripts(shell) for one in Shown(script).variables}
        if name not in OURS:  # images of others put what such a variable names into another one
            for variable in service.get("environment", {}):
                if match := re.fullmatch(r"(\w+?)_{1,2}FILE", variable):
                    held.add((name, match[1]))
    section = DOCS.split("## Secrets")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \| `(\w+)` \|", section, re.MULTILINE)) == held
