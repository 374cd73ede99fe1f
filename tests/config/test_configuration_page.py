"""docs/configuration.md says what the typed config says."""

from tangsweep.config.identity import flatten
from tests.config import configuration_page
from tests.conftest import configured


def test_the_page_is_current() -> None:
    written = configuration_page.PATH.read_text(encoding="utf-8")
    assert written == configuration_page.page() + "\n", "run `make docs`"


def test_every_key_of_the_default_config_is_on_the_page() -> None:
    text = configuration_page.page()
    for key, _ in flatten(configured()):
        assert f"`{key}`" in text or key in ("published", "corpus.primary"), key
