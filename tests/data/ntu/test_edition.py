"""What the names of captures mean."""

import pytest

from rgbd_jax.data.ntu.edition import NTU60, NTU120, missing_captures
from rgbd_jax.errors import UserError


@pytest.mark.parametrize(
    ("edition", "name", "splits"),
    [
        (NTU60, "S001C001P001R001A001", ("xsub_train", "xview_test")),
        (NTU60, "S017C003P040R002A060", ("xsub_test", "xview_train")),
        (NTU120, "S018C001P103R001A120", ("xsub_train", "xset_train")),
        (NTU120, "S001C002P106R001A061", ("xsub_test", "xset_test")),
    ],
)
def test_the_protocols_follow_from_the_name(edition, name, splits):
    assert edition.splits(edition.capture(name, "here")) == splits


@pytest.mark.parametrize(
    ("edition", "name", "message"),
    [
        (NTU60, "S001C001P001R001", "here: found S001C001P001R001; a name of the form SsssCcccPpppRrrrAaaa"),
        (NTU60, "S001C001P001R001A001_rgb", "a name of the form"),
        (NTU60, "S018C001P001R001A001", "here: found setup 18; allowed are 1 to 17"),
        (NTU60, "S001C004P001R001A001", "here: found camera 4; allowed are 1 to 3"),
        (NTU60, "S001C001P041R001A001", "here: found performer 41; allowed are 1 to 40"),
        (NTU60, "S001C001P001R001A061", "here: found action 61; allowed are 1 to 60"),
        (NTU120, "S033C001P001R001A001", "here: found setup 33; allowed are 1 to 32"),
        (NTU120, "S001C001P107R001A001", "here: found performer 107; allowed are 1 to 106"),
        (NTU120, "S001C001P001R001A000", "here: found action 0; allowed are 1 to 120"),
    ],
)
def test_a_name_that_means_nothing_is_refused(edition, name, message):
    with pytest.raises(UserError, match=message):
        edition.capture(name, "here")


def test_the_published_number_of_captures_is_missing():
    assert len(missing_captures()) == 535
    assert sum(int(name[1:4]) <= 17 for name in missing_captures()) == 302
    for name in missing_captures():
        NTU120.capture(name, "")


def test_the_class_names_are_those_of_both_editions():
    assert (len(NTU60.class_names), len(NTU120.class_names)) == (60, 120)
    assert NTU120.class_names[59:61] == ("walking apart", "put on headphone")
