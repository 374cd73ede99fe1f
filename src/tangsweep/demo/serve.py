"""Serves the page on this machine, and keeps the browser from loading anything from elsewhere.

Import this module only after `__main__` has set its environment variables: Gradio reads them at its import.
"""

import socket

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tangsweep.demo import page, poem_html
from tangsweep.errors import UserError, first_line

SOURCES = "'self' data: blob:"
CONTENT_SECURITY_POLICY = (  # some of Gradio's scripts are inline
    f"default-src {SOURCES}; script-src {SOURCES} 'unsafe-inline' 'unsafe-eval'; "
    f"style-src {SOURCES} 'unsafe-inline'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"
)
FONTS = ["system-ui", "sans-serif"]  # system fonts: Gradio's own would be loaded from a server


class SecurityHeaders:
    """ASGI middleware that tells the browser to load from this server alone."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def serve(host: str, port: int | None, browser: bool) -> None:
    """Serve the page until Ctrl-C, composing for one request at a time.

    `port` 0 takes a free one; None takes Gradio's 7860 or the next that is free. Raises UserError if the port
    is taken.
    """
    blocks = page.build_page()
    blocks.queue(default_concurrency_limit=1, max_size=32)
    try:
        url = _launch(blocks, host, port, browser)
    except OSError as error:
        raise UserError(f"no page at port {port}: {first_line(error)}; name another with --port") from error
    print(f"the page is at {url} until you press Ctrl-C", flush=True)
    blocks.block_thread()


def _launch(blocks: gr.Blocks, host: str, port: int | None, browser: bool) -> str:
    """Start the server in another thread and return its address."""
    _, url, _ = blocks.launch(
        server_name=host,
        server_port=_free_port(host) if port == 0 else port,
        share=False,
        inbrowser=browser,
        enable_monitoring=False,
        footer_links=[],
        max_file_size="1kb",  # there is nothing to upload
        ssr_mode=False,
        theme=gr.themes.Default(font=FONTS, font_mono=["monospace"]),
        css=poem_html.CSS,
        # TrustedHostMiddleware turns away pages elsewhere whose own host name was made to point here.
        app_kwargs={
            "middleware": [
                Middleware(SecurityHeaders),
                Middleware(TrustedHostMiddleware, [host, "localhost"]),
            ]
        },
        quiet=True,
        prevent_thread_lock=True,
    )
    return str(url)


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
