"""What the settings page is measured against: a form of Flask-WTF and two reads from SQLite."""

from __future__ import annotations

import os
import sqlite3

from flask import Flask, g, render_template
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, StringField

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Settings of {{ user }}</title></head>
<body><form method="post">{{ form.csrf_token }}
{% for field in form if field.name != "csrf_token" %}
<p>{{ field.label }} {{ field }}</p>
{% endfor %}
<button>Save</button></form></body></html>
"""


class Settings(FlaskForm):
    host = StringField("Host")
    port = IntegerField("Port")
    user = StringField("User")
    starttls = BooleanField("STARTTLS")


def create_app() -> Flask:
    """Build it over a database of two rows, in the file that BENCH_DATABASE names."""
    app = Flask(__name__)
    app.secret_key = "bench"
    page = app.jinja_env.from_string(PAGE)
    path = os.environ["BENCH_DATABASE"]
    with sqlite3.connect(path) as first:
        first.executescript(
            "CREATE TABLE IF NOT EXISTS users (id INTEGER PRIMARY KEY, name TEXT);"
            "CREATE TABLE IF NOT EXISTS settings (id INTEGER PRIMARY KEY, host TEXT, port INTEGER);"
            "INSERT OR IGNORE INTO users VALUES (1, 'Ada');"
            "INSERT OR IGNORE INTO settings VALUES (1, 'mail.corp.test', 587);"
        )
    first.close()

    @app.teardown_appcontext
    def close(_error: BaseException | None) -> None:
        if "database" in g:
            g.database.close()

    @app.get("/settings")
    def show() -> str:
        g.database = sqlite3.connect(path)
        (user,) = g.database.execute("SELECT name FROM users WHERE id = 1").fetchone()
        host, port = g.database.execute("SELECT host, port FROM settings").fetchone()
        form = Settings(formdata=None, data={"host": host, "port": port, "user": user})
        return render_template(page, form=form, user=user)

    return app
