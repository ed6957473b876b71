"""What gunicorn serves: build the app, start the jobs."""

from flexmail import create_app, jobs

app = create_app()
jobs.start(app)
