"""Serves the page on this machine, and keeps it from loading anything from elsewhere."""

import socket
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tangsweep.demo import page, poem_html
from tangsweep.errors import UserError, first_line

OWN = "'self' data: blob:"
POLICY = (  # Gradio's scripts are inline in part
    f"default-src {OWN}; script-src {OWN} 'unsafe-inline' 'unsafe-eval'; style-src {OWN} 'unsafe-inline'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"
)
FONTS = ["system-ui", "sans-serif"]  # of the system: a named Gradio font would come from a server


class OwnOnly:
    """Tells the browser to load from this server alone, whatever a library's page would rather do."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_policy(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self.app(scope, receive, with_policy if scope["type"] == "http" else send)


def serve(host: str, port: int | None, browser: bool) -> None:
    """Until Ctrl-C. One poem is made at a time; further ones wait."""
    built: Any = page.build()
    built.queue(default_concurrency_limit=1, max_size=32)
    try:
        url = _launch(built, host, port, browser)
    except OSError as error:
        raise UserError(f"no page at port {port}: {first_line(error)}; name another with --port") from error
    print(f"the page is at {url} until you press Ctrl-C", flush=True)
    built.block_thread()


def _launch(built: Any, host: str, port: int | None, browser: bool) -> str:
    _, url, _ = built.launch(
        server_name=host,
        server_port=_free(host) if port == 0 else port,
        share=False,
        inbrowser=browser,
        enable_monitoring=False,
        footer_links=[],
        max_file_size="1kb",  # there is nothing to upload
        ssr_mode=False,
        theme=gr.themes.Default(font=FONTS, font_mono=["monospace"]),
        css=poem_html.CSS,
        # A page elsewhere that has its own name point here is turned away by the second.
        app_kwargs={
            "middleware": [Middleware(OwnOnly), Middleware(TrustedHostMiddleware, [host, "localhost"])]
        },
        quiet=True,
        prevent_thread_lock=True,
    )
    return str(url)


def _free(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
