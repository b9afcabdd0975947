"""Merkle trees of RFC 6962."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    MerkleError,
    MerkleTree,
    inclusion_proof,
    inclusion_proof_streamed,
    merkle_root,
    verify_inclusion,
)
from tests.draws.vwd1_values import MERKLE_LEAVES, MERKLE_ROOTS

LEAVES = st.lists(st.binary(max_size=8), max_size=70)


def root_by_definition(leaves):
    """MTH of RFC 6962 §2.1, as it is written there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + root_by_definition(leaves[:split]) + root_by_definition(leaves[split:])).digest()


def path_by_definition(index, leaves):
    """PATH of RFC 6962 §2.1.1, as it is written there."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*path_by_definition(index, leaves[:split]), root_by_definition(leaves[split:])]
    return [*path_by_definition(index - split, leaves[split:]), root_by_definition(leaves[:split])]


@pytest.mark.parametrize("size", range(len(MERKLE_ROOTS)))
def test_the_known_roots_come_out(size):
    leaves = [bytes.fromhex(leaf) for leaf in MERKLE_LEAVES[:size]]
    assert merkle_root(leaves).hex() == MERKLE_ROOTS[size]


def test_the_root_of_nothing_is_the_hash_of_nothing():
    assert MerkleTree().root() == EMPTY_ROOT == sha256(b"").digest()


@given(LEAVES, st.data())
def test_the_root_follows_the_definition_however_the_leaves_arrive(leaves, data):
    tree = MerkleTree()
    rest = list(leaves)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        if size == 1:
            tree.add(rest[0])
        else:
            tree.add_leaves(rest[:size])
        rest = rest[size:]
    assert tree.root() == root_by_definition(leaves)
    assert tree.size == len(leaves)


@pytest.mark.parametrize("size", [1023, 1024, 1025, 2047, 2048, 2049, 3072, 4095, 4097, 7000])
def test_batches_do_not_show(size):
    leaves = [b"%d" % number for number in range(size)]
    tree = MerkleTree()
    for start in range(0, size, 700):
        tree.add_leaves(leaves[start : start + 700])
        assert tree.root() == root_by_definition(leaves[: start + 700])


def test_a_large_tree_keeps_only_one_batch_and_a_few_hashes():
    tree = MerkleTree()
    tree.add_leaves(b"%d" % number for number in range(100_000))
    assert len(tree._pending) < 1024
    assert len(tree._peaks) <= 7


@given(LEAVES.filter(bool), st.data())
def test_every_leaf_can_be_proved(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof = inclusion_proof(leaves=leaves, index=index)
    assert proof == path_by_definition(index, leaves)
    assert proof == inclusion_proof_streamed(leaves=iter(leaves), index=index, size=len(leaves))
    assert verify_inclusion(
        leaf=leaves[index], index=index, size=len(leaves), proof=proof, root=merkle_root(leaves)
    )


@given(LEAVES.filter(lambda leaves: len(leaves) > 1), st.data())
def test_no_other_leaf_place_size_or_path_is_believed(leaves, data):
    leaves = [b"%d " % number + leaf for number, leaf in enumerate(leaves)]
    index = data.draw(st.integers(0, len(leaves) - 1))
    proof, root, size = inclusion_proof(leaves=leaves, index=index), merkle_root(leaves), len(leaves)
    other = data.draw(st.integers(0, len(leaves) - 1).filter(lambda number: number != index))

    def believed(leaf=leaves[index], index=index, size=size, proof=proof, root=root):
        return verify_inclusion(leaf=leaf, index=index, size=size, proof=proof, root=root)

    assert believed()
    assert not believed(leaf=leaves[other])
    assert not believed(index=other)
    assert not believed(index=size)
    assert not believed(index=-1)
    assert not believed(proof=proof[:-1])
    assert not believed(proof=[*proof, root])
    assert not believed(root=EMPTY_ROOT)
    place = data.draw(st.integers(0, len(proof) - 1))
    assert not believed(proof=[*proof[:place], proof[place][:-1], *proof[place + 1 :]])
    flipped = bytes([proof[place][0] ^ 1]) + proof[place][1:]
    assert not believed(proof=[*proof[:place], flipped, *proof[place + 1 :]])


def test_an_inner_node_does_not_pass_for_a_leaf():
    leaves = [b"a", b"b"]
    inside = sha256(b"\x00a").digest() + sha256(b"\x00b").digest()
    assert not verify_inclusion(leaf=inside, index=0, size=1, proof=[], root=merkle_root(leaves))


@settings(max_examples=20)
@given(st.integers(1025, 5000), st.data())
def test_a_proof_can_be_made_while_streaming_over_a_large_tree(size, data):
    index = data.draw(st.integers(0, size - 1))
    leaves = [b"%d" % number for number in range(size)]
    proof = inclusion_proof_streamed(leaves=iter(leaves), index=index, size=size)
    assert verify_inclusion(leaf=leaves[index], index=index, size=size, proof=proof, root=merkle_root(leaves))


@pytest.mark.parametrize(("index", "size"), [(0, 0), (3, 3), (-1, 3)])
def test_it_refuses_a_proof_of_a_leaf_that_is_not_there(index, size):
    with pytest.raises(MerkleError, match="is not in a tree"):
        inclusion_proof(leaves=[b"x"] * size, index=index)


def test_it_refuses_a_proof_over_leaves_that_end_early():
    with pytest.raises(MerkleError, match="end after 2"):
        inclusion_proof_streamed(leaves=[b"a", b"b"], index=0, size=4)
