"""The command ``flare``; needs the extra ``cli``.

::

    app       the commands, and the one place where errors become exit statuses
    options   what the commands share: options, and their texts read
    inputs    files, standard input, the clock
    progress  bound and gap while solving, Ctrl-C
    rows      a plan as rows of text
    tables    rows, funnels and reasons, drawn
    stock     an inventory summarised, drawn, converted
    output    standard output, exit statuses
"""

from flare_core.adapters.cli.app import main

__all__ = ["main"]
