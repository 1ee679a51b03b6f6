"""``--inventory a b c``: an option that takes several files, as a shell's globs write them."""

from collections.abc import Sequence

SEVERAL = ("--inventory", "-i")
"""Options that take every word up to the next option."""


def spread(arguments: Sequence[str]) -> list[str]:
    """Return `arguments` with the option repeated before each of its values.

    Only where something stands between the command and its first option: in
    ``place --inventory offers.json intent.json`` the last word is the intent, not a second file of offers.

    >>> spread(["place", "intent.json", "--inventory", "a.csv", "b.csv", "--json"])
    ['place', 'intent.json', '--inventory', 'a.csv', '--inventory', 'b.csv', '--json']
    """
    if len(arguments) < 2 or _is_option(arguments[1]):
        return list(arguments)
    result: list[str] = []
    option = ""
    for argument in arguments:
        if argument == "--":
            return [*result, *arguments[arguments.index("--") :]]
        if _is_option(argument):
            option = argument
        elif option in SEVERAL and result[-1] != option:
            result.append(option)
        result.append(argument)
    return result


def _is_option(argument: str) -> bool:
    return argument.startswith("-") and argument != "-"
