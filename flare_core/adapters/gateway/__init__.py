"""What stands behind the REST API: the store, tokens, the life of an intent, the ledger, limits.

Nothing here speaks HTTP, reads a clock or the environment: every function is given an open transaction of the
`store`, and the moment. What belongs together commits together, since the caller opens the transaction.
"""
