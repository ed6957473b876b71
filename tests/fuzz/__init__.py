"""Mail that is altered at random must never approve: for atheris, and in small for every run."""
