"""The command ``flare``; needs the extra ``cli``.

::

    app        the commands in one place; errors become exit statuses
    place      flare place
    explain    flare explain
    explore    flare explore
    inventory  flare inventory
    verify     flare verify
    serve      flare serve
    token      flare token create, list, revoke, secret
    config     flare config show
    remote     flare submit, status, list, cancel, accept, resources
    serving    the gateway as processes: socket, workers, an end in time
    console    what the commands of the gateway share
    far        what a gateway elsewhere says, drawn
    options    what the commands share: options, and their texts read
    inputs     files, standard input, the clock
    progress   bound and gap while solving, Ctrl-C
    look       an intent's look at any offer: place, price, carbon, latency
    rows       a placement as rows of text
    tables     rows and funnels, drawn
    plans      a plan, drawn
    stock      an inventory in short, drawn
    convert    an inventory, written to a file
    output     standard output and error, exit statuses
"""

from flare_core.adapters.cli.app import main

__all__ = ["main"]
