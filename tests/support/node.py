"""Runs the player's own functions in Node, to compare them with Python's."""

import json
import shutil
import subprocess
from typing import Any

from support.require import require

from capmodel.output.player import PLAYER


def call(module: str, body: str, value: Any) -> Any:
    """What a JavaScript function says of a value.

    Args:
        module: its path in the player; its exports are there as `own`.
        body: of the function, which is given `value`; it returns what JSON can tell.
    """
    node = shutil.which("node")
    require(node is not None, "This test needs Node: apt install nodejs.")
    script = f"""
        import * as own from {json.dumps((PLAYER / module).as_uri())};
        import {{ readFileSync }} from 'node:fs';
        const answer = await (async value => {{ {body} }})(JSON.parse(readFileSync(0, 'utf8')));
        console.log(JSON.stringify(answer));
    """
    run = subprocess.run(
        [str(node), "--input-type=module", "-e", script], input=json.dumps(value), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)
