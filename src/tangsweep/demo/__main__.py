"""Serves a local page that composes poems; the browser loads nothing from elsewhere.

python -m tangsweep.demo            on http://127.0.0.1:7860, or the next port that is free
python -m tangsweep.demo --port 0   on a port that the system chooses
"""

import os
import socket
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tangsweep.command_line import ArgumentParser, run_command
from tangsweep.errors import UserError

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOST = "127.0.0.1"  # only this machine can connect
MAX_PORT = 65_535
# Gradio and huggingface_hub read these when they are imported: no telemetry, no version check.
OFFLINE_ENVIRONMENT = {
    "GRADIO_ANALYTICS_ENABLED": "False",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
}
SOURCES = "'self' data: blob:"
CONTENT_SECURITY_POLICY = (  # some of Gradio's scripts are inline
    f"default-src {SOURCES}; script-src {SOURCES} 'unsafe-inline' 'unsafe-eval'; "
    f"style-src {SOURCES} 'unsafe-inline'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'self'"
)
FONTS = ["system-ui", "sans-serif"]  # system fonts: Gradio's own would be loaded from a server


def main() -> None:
    parser = ArgumentParser(description="Open a local page that composes poems with trained runs.")
    parser.add_argument("--port", type=int, help="7860, or the next that is free; 0: any")
    parser.add_argument("--quiet", action="store_true", help="open no browser")
    options = parser.parse_args()
    if options.port is not None and not 0 <= options.port <= MAX_PORT:
        raise UserError(f"--port {options.port} is invalid: it must be from 0 to {MAX_PORT}")
    if options.port:
        check_port(HOST, options.port)
    if find_spec("gradio") is None:
        raise UserError("the page needs Gradio: pip install -c constraints.txt -e '.[demo]', or make demo")
    os.environ |= OFFLINE_ENVIRONMENT
    serve(HOST, options.port, browser=not options.quiet)


class SecurityHeaders:
    """ASGI middleware that tells the browser to load from this server alone."""

    def __init__(self, app: "ASGIApp") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def send_with_headers(message: "Message") -> None:
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
    from tangsweep.demo import page  # imports Gradio, so only after the environment is set

    blocks = page.build_page()
    blocks.queue(default_concurrency_limit=1, max_size=32)
    try:
        url = _launch(blocks, host, port, browser)
    except OSError as error:
        raise _no_port(port, error) from error
    print(f"the page is at {url} until you press Ctrl-C", flush=True)
    blocks.block_thread()


def _launch(blocks: "gr.Blocks", host: str, port: int | None, browser: bool) -> str:
    """Start the server in another thread and return its address."""
    import gradio as gr
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from tangsweep.demo import poem_html

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


def check_port(host: str, port: int) -> None:
    """Raise UserError where the port cannot be had, before Gradio is imported."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server will
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _no_port(port, error) from error


def _no_port(port: int | None, error: OSError) -> UserError:
    which = f"port {port} cannot be had" if port else "no port from 7860 on is free"
    reason = f" ({error.strerror})" if error.strerror else ""
    return UserError(f"{which}{reason}: name another with --port, or --port 0 for any")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    run_command(main)
