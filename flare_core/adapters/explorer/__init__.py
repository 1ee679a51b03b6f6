"""The placement explorer: a page that shows what the library finds, and what the page is told.

::

    question   what the page asks
    answers    a question and an inventory in, one JSON document out
    picture    a plan as the page draws it
    pages      the page's files, and what a browser may do on them
    local      the page on this machine alone, for ``flare explore``

The gateway serves the same page at ``/ui``. Nothing here starts anything or asks anybody but the library.
"""
