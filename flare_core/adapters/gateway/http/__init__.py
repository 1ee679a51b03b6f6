"""The REST API: one table of operations, and what each of them says.

`table` lists the operations; routes and the OpenAPI document are made from it. `dispatch` takes a request
through authentication, permission, limits and strict reading to its handler; `routes` are the handlers.
Whatever may wait (the store, the solver) runs in threads: the event loop only passes messages.
"""
