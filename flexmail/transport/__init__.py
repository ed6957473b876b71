"""The sockets: every call ends by the wall clock and every failure is a `MailServerError`.

No database and no Flask in here. One connection belongs to one thread.
"""
