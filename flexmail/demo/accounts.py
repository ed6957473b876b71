"""The accounts of the demo's mail server: who logs in, and settings that ask nobody outside."""

from __future__ import annotations

import ssl
from argparse import Namespace
from collections.abc import Mapping

from pymap.backend.dict import Config, Login
from pymap.concurrent import Subsystem
from pymap.user import UserMetadata
from pysasl.hashing import Cleartext


class _QuietConfig(Config):
    """pymap's settings without its question to the name servers."""

    @property
    def greeting(self) -> bytes:
        return b"flexmail's demo mail server"


def make_login(users: Mapping[str, str], tls: ssl.SSLContext) -> Login:
    first, *_ = users
    settings = _QuietConfig(
        Namespace(passlib_cfg=None, proxy_protocol=None),
        host=None,
        port=0,
        demo_data=False,
        demo_user=first,
        demo_password=users[first],
        ssl_context=tls,
        hash_context=Cleartext(),
        cpu_subsystem=Subsystem.for_asyncio(),
        invalid_user_sleep=0.0,
        bad_command_limit=None,
    )
    settings.apply_context()
    login = Login(settings)
    for user, password in users.items():
        login.users_dict[user] = UserMetadata(settings, user, password=password)
    return login
