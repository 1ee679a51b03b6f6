"""MIG profiles lie inside their GPU, and belong to parts that have MIG."""

import pytest

from flare_core.catalog import gpus, mig

MIG_PARTS = [part for part in gpus.parts() if part.mig_max_instances]
PROFILES = [profile for part in MIG_PARTS for profile in mig.profiles_of(part.sku)]


def test_parts_with_mig_and_no_others_have_profiles() -> None:
    without = {part.sku for part in MIG_PARTS if not mig.profiles_of(part.sku)}
    # The datasheets state seven instances for it; its profile names are not published.
    assert without == {"nvidia-gb300-279gb"}
    assert set(mig._by_sku()) <= {part.sku for part in MIG_PARTS}
    assert mig.profiles_of("nvidia-t4-16gb") == ()
    assert mig.memory_slices_of("nvidia-t4-16gb") == mig.compute_slices_of("nvidia-t4-16gb") == 0


def test_profiles_are_unique_and_sourced() -> None:
    assert len({(p.sku, p.profile) for p in PROFILES}) == len(PROFILES) > 130
    assert all(p.source for p in PROFILES)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: f"{p.sku}-{p.profile}")
def test_every_placement_lies_inside_the_gpu(profile: mig.MigProfile) -> None:
    slices = mig.memory_slices_of(profile.sku)
    assert slices in (4, 8)
    assert mig.compute_slices_of(profile.sku) == (7 if slices == 8 else 4)
    assert profile.starts == tuple(sorted(set(profile.starts)))
    assert all(start >= 0 and start + profile.memory_slices <= slices for start in profile.starts)
    assert 1 <= profile.max_instances <= len(profile.starts)
    assert profile.profile.endswith(profile.extension)
    assert (profile.extension == "") == (profile.profile[-2:] == "gb")


@pytest.mark.parametrize("profile", PROFILES, ids=lambda p: f"{p.sku}-{p.profile}")
def test_an_instance_never_exceeds_its_share(profile: mig.MigProfile) -> None:
    part = next(part for part in gpus.parts() if part.sku == profile.sku)
    assert part.memory_mib is not None
    assert 0 < mig.core_share(profile) <= 1
    # Nominal names round up: 1g.23gb on 180 GB.
    assert profile.memory_mib / part.memory_mib <= 1.05 * profile.memory_slices / mig.memory_slices_of(
        profile.sku
    )
    assert (profile.usable_memory_mib or 0) <= profile.memory_mib


def test_a_profile_is_chosen_smallest_first_and_plain_before_its_variants() -> None:
    names = [p.profile for p in mig.profiles_of("nvidia-a100-sxm4-40gb")]
    assert names == ["1g.5gb", "1g.5gb+me", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"]
    assert mig.profiles_of("nvidia-rtx-pro-6000-server-96gb")[0].extension == ""


def test_the_trap_of_the_vendor_s_table_holds() -> None:
    """4g begins only at slice 0, so it must find 3g at slice 4."""
    by_name = {p.profile: p for p in mig.profiles_of("nvidia-h100-sxm5-80gb")}
    assert by_name["4g.40gb"].starts == (0,)
    assert by_name["3g.40gb"].starts == (0, 4)


def test_core_share_follows_published_multiprocessors() -> None:
    by_name = {p.profile: p for p in mig.profiles_of("nvidia-a100-sxm4-40gb")}
    assert mig.core_share(by_name["1g.5gb"]) == pytest.approx(14 / 108)
    assert mig.core_share(by_name["7g.40gb"]) == pytest.approx(98 / 108)
    unpublished = mig.profiles_of("nvidia-h100-pcie-80gb")[0]
    assert unpublished.multiprocessors is None
    assert mig.core_share(unpublished) == 1 / 8


A100 = mig.cuts_of("nvidia-a100-sxm4-40gb")


def test_parts_of_one_geometry_are_cut_alike() -> None:
    assert A100 == mig.cuts_of("nvidia-a100-pcie-40gb") != mig.cuts_of("nvidia-a100-sxm4-80gb")
    assert mig.cuts_of("nvidia-t4-16gb") == ()
    assert [cut.name for cut in A100 if not cut.plain] == ["1g.5gb+me"]
    assert {cut.name: bin(cut.mask(4)) for cut in A100 if 4 in cut.starts} == {
        "1g.5gb": "0b10000",
        "1g.5gb+me": "0b10000",
        "1g.10gb": "0b110000",
        "2g.10gb": "0b110000",
        "3g.20gb": "0b11110000",
    }


@pytest.mark.parametrize(
    ("instances", "fault"),
    [
        ([], None),
        ([("1g.5gb", start) for start in range(7)], None),
        ([("3g.20gb", 4), ("4g.20gb", 0)], None),
        ([("3g.20gb", 0), ("3g.20gb", 4)], None),
        ([("1g.10gb", 6), ("1g.5gb+me", 5), ("2g.10gb", 0)], None),
        ([("2g.20gb", 0)], "the part has no profile 2g.20gb"),
        ([("4g.20gb", 4)], "4g.20gb cannot begin at slice 4"),
        ([("1g.5gb", 7)], "1g.5gb cannot begin at slice 7"),
        ([("3g.20gb", 0), ("1g.5gb", 3)], "1g.5gb at slice 3 overlaps another instance"),
        ([("1g.5gb+me", 0), ("1g.5gb+me", 1)], "one GPU takes at most 1 of 1g.5gb+me"),
    ],
)
def test_a_layout_is_what_the_placement_table_allows(
    instances: list[tuple[str, int]], fault: str | None
) -> None:
    assert mig.layout_fault(A100, instances) == fault
    assert mig.layout_fault(A100, instances[::-1]) is None or fault is not None


def test_a_layout_has_no_more_compute_slices_than_the_part() -> None:
    """Where memory slices would do: only a table with fewer compute slices can show it."""
    narrow = tuple(cut for cut in A100 if cut.compute < 4)  # at most 3 compute slices
    assert (
        mig.layout_fault(narrow, [("3g.20gb", 0), ("1g.5gb", 4)])
        == "4 compute slices are more than the part has"
    )
