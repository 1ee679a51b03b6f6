"""How intents come from accepted to running: claimed, solved in another process, booked, bought, followed.

::

    request   what the other process is asked
    solving   what the other process does: one search, as plain data in and out
    child     its main loop
    solver    the process from outside: asked, timed, killed, replaced
    claims    which intents this process works on, until when
    commit    what became of a search, written to the store
    driver    the loop that gathers, solves and commits
    follow    the loop that buys at the backend, follows and undoes
"""
