"""The page: Gradio draws it, and it is a client of the REST calls like any other.

No picture goes through Gradio, and none of its calls that take or give files is reachable: the page
hands photographs in with `POST /v1/jobs`, so that limits, queue and tokens are the same for all.
"""
