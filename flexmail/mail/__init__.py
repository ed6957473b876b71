"""Mail as text: bytes and strings in, frozen values out.

Pure: no Flask, no database, no socket, no clock. Nothing here decides who may approve.
"""
