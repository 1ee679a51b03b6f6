"""Commands and texts so that what runs is what was written.

Each entry of ``workload.commands`` is a line of a shell: they run one after the other, the next only if the
one before succeeded. The last one replaces the shell wherever that changes nothing, so that the workload
itself gets the signal to end. A list with an entry that begins with ``-`` can be no list of lines: it is the
words of one command, and runs without a shell.
"""

import re
import shlex
from collections.abc import Sequence
from typing import Final

SHELL: Final = ("/bin/sh", "-c")

# What a shell does itself: with "exec" before it something else would happen, or nothing.
_OWN_WORDS: Final = frozenset(
    {".", ":", "!", "[", "[[", "{", "}", "alias", "bg", "break", "case", "cd", "command", "continue", "do"}
    | {"done", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fc", "fg", "fi", "for"}
    | {"function", "getopts", "hash", "if", "jobs", "kill", "local", "newgrp", "pwd", "read", "readonly"}
    | {"return", "select", "set", "shift", "source", "test", "then", "time", "times", "trap", "true", "type"}
    | {"ulimit", "umask", "unalias", "unset", "until", "wait", "while"}
)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_EXPANDED: Final = re.compile(r"\$(?=[$(])")


def literal(text: str) -> str:
    """Return the text that reaches a container as `text`.

    Kubernetes itself reads ``$$`` and ``$(NAME)`` in commands and values of variables; everything else that
    begins with ``$`` it leaves to the shell.

    Source: https://github.com/kubernetes/kubernetes, ``third_party/forked/golang/expansion``.

    >>> literal("$MODEL_ID $(date) $$")
    '$MODEL_ID $$(date) $$$'
    """
    return _EXPANDED.sub("$$", text) if "$" in text else text


def command(lines: Sequence[str]) -> list[str]:
    """Return what a container runs for some lines; empty: what its image runs anyway.

    >>> command(["python3 serve.py --model $MODEL_ID"])
    ['/bin/sh', '-c', 'exec python3 serve.py --model $MODEL_ID']
    >>> command(["python3", "serve.py", "--port", "8000"])
    ['python3', 'serve.py', '--port', '8000']
    """
    if not lines:
        return []
    if any(line.startswith("-") for line in lines[1:]):
        return [literal(word) for word in lines]
    last = f"exec {lines[-1]}" if _is_one_command(lines[-1]) else lines[-1]
    script = "\n".join([*(["set -e"] if len(lines) > 1 else []), *lines[:-1], last])
    return [*SHELL, literal(script)]


def _is_one_command(line: str) -> bool:
    """Whether a line is one program with its words and redirections, and nothing that a shell does itself."""
    if "\n" in line or "`" in line:
        return False
    words = shlex.shlex(line, posix=True, punctuation_chars=";&|()")
    words.commenters = ""
    words.whitespace_split = True
    try:
        found = list(words)
    except ValueError:  # a quote that is not closed: the shell's to complain about
        return False
    if not found or any(set(word) <= set(";&|()") for word in found):
        return False
    first = found[0]
    return first not in _OWN_WORDS and not _ASSIGNMENT.match(first) and first[0] not in "<>#"
