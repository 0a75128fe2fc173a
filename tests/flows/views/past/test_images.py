"""The images of the registry on the terminal: what each is kept for."""

import pytest
from support.terminal import shown

from flows.gitops.image_inventory import Image
from flows.views.past import images

LIVE = Image("1" * 16, f"sha256:{'a' * 64}", (), 3, ("live", "anchor"), quarantined=False)
OLD = Image("2" * 16, f"sha256:{'b' * 64}", (), 0, (), quarantined=True)


def test_each_image_says_what_it_is_kept_for(capsys: pytest.CaptureFixture[str]) -> None:
    images.show([LIVE, OLD])
    head, live, old, last = shown(capsys)
    assert head == "tag release kept for digest"
    assert live == f"{'1' * 16} 3 live, anchor sha256:aaaaaaaaaaaa"
    assert old == f"{'2' * 16} never may be deleted (in quarantine) sha256:bbbbbbbbbbbb"
    assert last == "2 images, 1 of them may be deleted."


def test_no_image_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    images.show([])
    assert shown(capsys)[-1] == "0 images, 0 of them may be deleted."


def test_a_tag_of_others_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever may push can name a tag; a registry that is not ours need not refuse any."""
    images.show([Image("[red]x[/]", "sha256:c", (), 1, ("[bold]live[/]",), quarantined=False)])
    assert shown(capsys)[1] == "[red]x[/] 1 [bold]live[/] sha256:c"
