"""Commands run as they were written: told by a real shell, after what Kubernetes does to them."""

import os
import re
import subprocess
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flare_core.adapters.fluidos.deploy.commands import command, literal

ENV = {"NAME": "value", "PATH": "/usr/bin:/bin", "EMPTY": ""}


def expanded(text: str, env: Mapping[str, str] = ENV) -> str:
    """What the kubelet makes of a text: ``$$`` is ``$``, ``$(NAME)`` the variable where there is one."""

    def replace(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else env.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", replace, text)


@given(st.text("$()ANME \n", max_size=24))
def test_every_text_reaches_the_container_as_it_is(text: str) -> None:
    assert expanded(literal(text)) == text


def test_texts_that_kubernetes_leaves_alone_are_left_alone() -> None:
    for text in ("$HOME and ${NAME:-x}", "no dollar", "cost: 5$", "$"):
        assert literal(text) == text


def output(lines: list[str]) -> str:
    """What a container would print that runs some lines."""
    words = [expanded(word) for word in command(lines)]
    done = subprocess.run(words, env=ENV, capture_output=True, text=True, check=False, timeout=20)
    return done.stdout + (f"status {done.returncode}" if done.returncode else "")


@pytest.mark.parametrize(
    ("lines", "printed"),
    [
        (["echo $NAME"], "value\n"),
        (["echo '$NAME' $(echo inner) `echo tick`"], "$NAME inner tick\n"),
        (["echo a && echo b"], "a\nb\n"),
        (["echo a; echo b"], "a\nb\n"),
        (["echo a | tr a b"], "b\n"),
        (["cd / && pwd"], "/\n"),
        (["X=1", "echo $X"], "1\n"),
        (["X=1 sh -c 'echo $X'"], "1\n"),
        (["export X=2", "echo $X"], "2\n"),
        (["echo one", "echo two"], "one\ntwo\n"),
        (["false", "echo never"], "status 1"),
        (["exit 3"], "status 3"),
        (["for i in 1 2; do echo $i; done"], "1\n2\n"),
        (["if true; then echo yes; fi"], "yes\n"),
        (["(echo sub)"], "sub\n"),
        (["{ echo group; }"], "group\n"),
        (["[ a = a ] && echo same"], "same\n"),
        (["echo out >/dev/null"], ""),
        (["echo \"a  b\" 'c  d'"], "a  b c  d\n"),
        (["echo 'unclosed"], "status 2"),
        (["echo", "-n", "a  b"], "a  b"),
        (["sh", "-c", "echo $NAME"], "value\n"),
        (["echo a # a comment"], "a\n"),
        (["# nothing but a comment"], ""),
        (["echo a\necho b"], "a\nb\n"),
        (["test -n '$(NAME)' && echo '$(NAME)' '$$'"], "$(NAME) $$\n"),
        (["echo a &", "wait"], "a\n"),
        (["  echo spaced  "], "spaced\n"),
    ],
)
def test_lines_do_what_they_say(lines: list[str], printed: str) -> None:
    assert output(lines) == printed


@pytest.mark.parametrize(
    ("line", "replaces"),
    [
        ("python3 -m http.server 8000", True),
        ("torchrun --nproc_per_node=4 train.py --name 'a b'", True),
        ("python3 serve.py > /log 2>&1", False),  # the ampersand is not told from a background job
        ("python3 serve.py >/log", True),
        ("a && b", False),
        ("a | b", False),
        ("cd /app", False),
        ("FOO=1 serve", False),
        ("exec serve", False),
        ("serve $(cat args)", False),
        ("", False),
    ],
)
def test_a_single_program_takes_the_shells_place(line: str, replaces: bool) -> None:
    script = command([line])[-1]
    assert script.startswith("exec ") is (replaces or line.startswith("exec "))
    assert script.startswith("exec exec") is False


def test_a_signal_reaches_the_workload_itself() -> None:
    words = command(["python3 -c 'import os; print(os.getppid(), flush=True)'"])
    done = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    printed, _ = done.communicate(timeout=20)
    # Its parent is this process: no shell stands in between.
    assert int(printed) == os.getpid()


def test_without_lines_the_image_decides() -> None:
    assert command([]) == []
