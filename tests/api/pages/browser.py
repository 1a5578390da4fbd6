"""What a person does on the chat page."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

QUESTION = "How long is the warranty on a kettle?"

Open = Callable[..., Page]
"""Opens an address in a window of its own."""


def ask(page: Page, question: str = QUESTION) -> None:
    expect(page.get_by_role("button", name="Ask", exact=True)).to_be_enabled()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
