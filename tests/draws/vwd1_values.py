"""Test values of `vwd1`, on which independent implementations agree. Hex is lower-case."""

ZERO_SEED = "00" * 32

# (name, seed, [(pid, count)], [(pid, ticket, remaining, attempts)])
SELECTIONS = [
    (
        "33 entries of one ticket, zero seed",
        ZERO_SEED,
        [(f"{number:02d}", 1) for number in range(33)],
        [
            ("20", 20, 33, 2),
            ("21", 21, 32, 1),
            ("26", 26, 31, 1),
            ("31", 31, 30, 1),
            ("30", 30, 29, 1),
            ("17", 17, 28, 1),
            ("32", 32, 27, 1),
            ("24", 24, 26, 1),
            ("07", 7, 25, 3),
            ("03", 3, 24, 1),
            ("06", 6, 23, 1),
            ("28", 28, 22, 1),
            ("00", 0, 21, 1),
            ("10", 10, 20, 1),
            ("25", 25, 19, 3),
            ("08", 8, 18, 1),
            ("29", 29, 17, 1),
            ("23", 23, 16, 1),
            ("09", 9, 15, 1),
            ("19", 19, 14, 1),
            ("05", 5, 13, 1),
            ("02", 2, 12, 1),
            ("13", 13, 11, 1),
            ("11", 11, 10, 1),
            ("18", 18, 9, 1),
            ("04", 4, 8, 1),
            ("14", 14, 7, 1),
            ("15", 15, 6, 1),
            ("27", 27, 5, 1),
            ("12", 12, 4, 1),
            ("16", 16, 3, 1),
            ("01", 1, 2, 1),
            ("22", 22, 1, 1),
        ],
    ),
    (
        "one ticket",
        ZERO_SEED,
        [("x", 1)],
        [
            ("x", 0, 1, 1),
        ],
    ),
    (
        "two small beside a huge one",
        "e7d93c3350cdf52794fd7cfe9841728aefff4b9ac42dfa2aa850174a2b74b388",
        [("a", 1), ("b", 1000000000000), ("c", 1)],
        [
            ("b", 858450241510, 1000000000002, 1),
            ("a", 0, 2, 1),
            ("c", 1000000000001, 1, 1),
        ],
    ),
    (
        "2^53 - 1 tickets",
        ZERO_SEED,
        [("a", 4503599627370496), ("b", 4503599627370495)],
        [
            ("b", 7362056805077825, 9007199254740991, 1),
            ("a", 2851073688606409, 4503599627370496, 1),
        ],
    ),
]

MERKLE_LEAVES = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
]
# the root over the first 0, 1, 2, … of them
MERKLE_ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

DRAND_CHAIN_HASH = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"
DRAND_GENESIS = 1692803367
DRAND_PERIOD = 3
# round: (signature, randomness)
DRAND_ROUNDS = {
    1000: (
        "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39",
        "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd",
    ),
    123: (
        "b75c69d0b72a5d906e854e808ba7e2accb1542ac355ae486d591aa9d43765482e26cd02df835d3546d23c4b13e0dfc92",
        "fb8f7bc29bf24db51871ec8c79f3a1e4bd0557bc0dfcee9ed1d924e69d1c60dc",
    ),
}

# (e-mail, salt, weight)
PEOPLE = [
    ("alice@example.com", "01" * 32, 4),
    ("bob@example.com", "02" * 32, 1),
    ("carol@example.com", "03" * 32, 1),
    ("dave@example.com", "04" * 32, 1),
]
ENTRIES_CSV = (
    "06fcb6d8b1711c1312af06a3deadf4d441e879ba53908ba3eced26d123ed0cf7,0,1\n"
    "ad7ee869529362f544b0354ea8e84bfeef32047ebe8ad7ad534a928360843ec6,1,1\n"
    "e7e51364ea9ee1fe1b2d15ce50f31d04d0d4776153aa041df8e7118f6db7f019,2,4\n"
    "ed9d5cfd36c0c4189d8e43cd5e07c25618a65ac6aabddf811db0b97cfd7470a3,6,1\n"
)
SECRET = "aa" * 32
MANIFEST = {
    "spec": "vwd1",
    "draw_id": "11111111-2222-4333-8444-555555555555",
    "scope": "11111111-2222-4333-8444-555555555555",
    "title": "Grand Prize 1",
    "rules_sha256": "6c621d1a05138a7888d37d9269a9da8e2e11e4aced2f6cfd24b05ab1b9e61bb0",
    "opens_at": "2026-11-01T00:00:00Z",
    "closes_at": "2026-11-30T20:00:00Z",
    "frozen_at": "2026-11-30T20:00:05Z",
    "draw_at": "2026-11-30T21:00:00Z",
    "entries": {
        "count": 4,
        "tickets": 7,
        "sha256": "368462ecae409062a2abdd0b6d160d3d5aa69e00260b652dbd7b3e67b9debde5",
        "merkle_root": "92d28e85def3d9f515a5f0c35b2df382b0133268cd9fa8ff18d7d5e48da0bc77",
    },
    "prizes": [{"id": "p1", "quantity": 1}, {"id": "p2", "quantity": 1}],
    "alternates": 2,
    "excludes": [],
    "min_wait_s": 600,
    "randomness": [
        {"type": "commit", "sha256": "5aa2469163b6de15793a21ad114de395ffe6720465a5562fd83eedfc1a513268"}
    ],
}
MANIFEST_CANONICAL = (
    '{"alternates":2,"closes_at":"2026-11-30T20:00:00Z","draw_at":"2026-11-30T21:00:00Z","draw_'
    'id":"11111111-2222-4333-8444-555555555555","entries":{"count":4,"merkle_root":"92d28e85def'
    '3d9f515a5f0c35b2df382b0133268cd9fa8ff18d7d5e48da0bc77","sha256":"368462ecae409062a2abdd0b6'
    'd160d3d5aa69e00260b652dbd7b3e67b9debde5","tickets":7},"excludes":[],"frozen_at":"2026-11-3'
    '0T20:00:05Z","min_wait_s":600,"opens_at":"2026-11-01T00:00:00Z","prizes":[{"id":"p1","quan'
    'tity":1},{"id":"p2","quantity":1}],"randomness":[{"sha256":"5aa2469163b6de15793a21ad114de3'
    '95ffe6720465a5562fd83eedfc1a513268","type":"commit"}],"rules_sha256":"6c621d1a05138a7888d3'
    '7d9269a9da8e2e11e4aced2f6cfd24b05ab1b9e61bb0","scope":"11111111-2222-4333-8444-55555555555'
    '5","spec":"vwd1","title":"Grand Prize 1"}'
)
MANIFEST_SHA256 = "2c760531e58a13bcf1f9f2d87b45d12247841f66c8e0c4b99b7d43491e05ff94"
SEED = "8c916293e50d74c06ff406020dca6a218eb479384c29ccea50fd3d9b388f531c"
# (e-mail, pid, ticket, remaining, attempts)
RANKS = [
    ("alice@example.com", "e7e51364ea9ee1fe1b2d15ce50f31d04d0d4776153aa041df8e7118f6db7f019", 4, 7, 1),
    ("bob@example.com", "ad7ee869529362f544b0354ea8e84bfeef32047ebe8ad7ad534a928360843ec6", 1, 3, 1),
    ("carol@example.com", "06fcb6d8b1711c1312af06a3deadf4d441e879ba53908ba3eced26d123ed0cf7", 0, 2, 1),
    ("dave@example.com", "ed9d5cfd36c0c4189d8e43cd5e07c25618a65ac6aabddf811db0b97cfd7470a3", 6, 1, 1),
]
