"""The settings of e-mail: one row."""

from sqlalchemy import LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from flexmail.db import Base


class EmailSettings(Base):
    """The one row of settings; passwords sealed, everything else as typed."""

    __tablename__ = "email_settings"
    id: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(default=0)
    smtp_host_name: Mapped[str] = mapped_column(String(253), default="")
    smtp_host_port: Mapped[int] = mapped_column(default=587)
    smtp_user: Mapped[str] = mapped_column(String(320), default="")
    sealed_smtp_password: Mapped[bytes | None] = mapped_column(LargeBinary)
    smtp_from_address: Mapped[str] = mapped_column(String(400), default="")
    smtp_enable_starttls: Mapped[bool] = mapped_column(default=True)
    smtp_implicit_tls: Mapped[bool] = mapped_column(default=False)
    smtp_auth: Mapped[str] = mapped_column(String(16), default="password")
    enable_email_approval: Mapped[bool] = mapped_column(default=False)
    imap_host_name: Mapped[str] = mapped_column(String(253), default="")
    imap_host_port: Mapped[int] = mapped_column(default=143)
    imap_user: Mapped[str] = mapped_column(String(320), default="")
    sealed_imap_password: Mapped[bytes | None] = mapped_column(LargeBinary)
    imap_inherits_password: Mapped[bool] = mapped_column(default=True)
    imap_enable_starttls: Mapped[bool] = mapped_column(default=True)
    imap_implicit_tls: Mapped[bool] = mapped_column(default=False)
    imap_auth: Mapped[str] = mapped_column(String(16), default="")
    email_reply_folder: Mapped[str] = mapped_column(String(255), default="INBOX")
    approval_reply_address: Mapped[str] = mapped_column(String(400), default="")
    email_reply_process_interval: Mapped[int] = mapped_column(default=5)
    email_reply_process_count: Mapped[int] = mapped_column(default=30)
    approve_words: Mapped[str] = mapped_column(Text, default="approve, approved, yes")
    reject_words: Mapped[str] = mapped_column(Text, default="reject, rejected, no")
    reply_trust: Mapped[str] = mapped_column(String(32), default="reference_and_sender")
    trusted_authserv_id: Mapped[str] = mapped_column(String(253), default="")
    tls_ca_certificates: Mapped[str] = mapped_column(Text, default="")
    process_as_they_arrive: Mapped[bool] = mapped_column(default=False)
    keep_processed_days: Mapped[int] = mapped_column(default=30)
