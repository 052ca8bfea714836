"""The two Java programs of pycocoevalcap: the PTB tokenizer and METEOR, wherever the package is installed.

pycocoevalcap's own wrappers write into the package's folder, which belongs to somebody else on a shared machine, and let
METEOR look for its paraphrases by an address in which a blank stays "%20". So here both are started another way.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

import pycocoevalcap.meteor.meteor as pycocoevalcap_meteor
from pycocoevalcap.tokenizer import ptbtokenizer

from capmodel.command_line import UserError

TOKENIZE = "edu.stanford.nlp.process.PTBTokenizer"


class JavaError(UserError):
    """Java is missing or failed; the message says what it is needed for, or what it said."""


def require_java() -> None:
    """Call it before anything long.

    Raises:
        JavaError: Java is not installed.
    """
    if shutil.which("java") is None:
        raise JavaError(
            "The metrics need Java, which the PTB tokenizer and METEOR run on: install it, "
            "for example with `apt install default-jre-headless`."
        )


def tokenize(captions: Sequence[Sequence[str]]) -> dict[int, list[str]]:
    """The captions of each photo in the Penn Treebank's tokens, lower case, without punctuation.

    Raises:
        JavaError: Java is missing, or failed.
    """
    require_java()
    # It answers line by line. A caption with a line break, of which Unicode has several, would shift all others.
    lines = [" ".join(text.split()) for texts in captions for text in texts]
    folder = Path(ptbtokenizer.__file__).absolute().parent
    command = ["java", "-cp", ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR, TOKENIZE, "-preserveLines", "-lowerCase"]
    options = ["-encoding", "UTF-8"]
    done = subprocess.run([*command, *options], cwd=folder, input="\n".join(lines).encode(), capture_output=True)
    answered = done.stdout.decode().split("\n")
    if done.returncode or len(answered) < len(lines):
        raise JavaError(f"The PTB tokenizer failed: {_first_line(done.stderr)}.")
    tokens = iter(answered)
    kept = [
        [" ".join(word for word in next(tokens).split() if word not in ptbtokenizer.PUNCTUATIONS) for _ in texts]
        for texts in captions
    ]
    return dict(enumerate(kept))


class Meteor(pycocoevalcap_meteor.Meteor):
    """pycocoevalcap's METEOR, told where its paraphrases lie.

    Raises:
        JavaError: on use, if Java fails.
    """

    def __init__(self):
        folder = Path(pycocoevalcap_meteor.__file__).absolute().parent
        paraphrases = folder / "data" / "paraphrase-en.gz"
        jar = pycocoevalcap_meteor.METEOR_JAR
        self.meteor_cmd = [
            "java",
            "-jar",
            "-Xmx2G",
            jar,
            "-",
            "-",
            "-stdio",
            "-l",
            "en",
            "-norm",
            "-a",
            str(paraphrases),
        ]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (as long as this object)
        self.meteor_p = subprocess.Popen(
            self.meteor_cmd, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors
        )
        self.lock = Lock()

    def compute_score(self, gts: dict, res: dict) -> tuple[float, list[float]]:
        try:
            return super().compute_score(gts, res)
        except (OSError, ValueError) as error:  # a closed pipe, or an answer that is no number
            self.lock.release()  # for __del__
            self._errors.seek(0)
            raise JavaError(f"METEOR failed: {_first_line(self._errors.read()) or error}.") from error

    def __del__(self):
        with suppress(OSError):  # it has ended by itself
            super().__del__()


def _first_line(output: bytes) -> str:
    """What a Java program complained of, without the places in its code."""
    lines = [line for line in output.decode(errors="replace").splitlines() if not line.startswith(("\t", " "))]
    return lines[0].strip().rstrip(".") if lines else ""
