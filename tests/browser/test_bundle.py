"""ES modules become one classic script that does the same."""

import pytest
from support.node import call

from capmodel.browser import pages
from capmodel.browser.bundle import bundle, reachable
from capmodel.output.player import player_files

SCRIPTS = {
    "main.js": "import { a as first, Counter } from './core/a.js';\nimport {\n  later,\n} from './b.js';\n"
    "self.answer = async () => [first(2), await later(), new Counter().count];",
    "core/a.js": "/** @import { T } from '../types.d.ts' */\nimport { FACTOR } from '../b.js';\n"
    "const secret = 1;\nexport const a = (value) => FACTOR * value + secret;\nexport class Counter { count = 7; }",
    "b.js": "const secret = 2;\nexport const FACTOR = 10;\nexport async function later() {\n  return secret;\n}",
    "unused.js": "self.answer = null;",
}


def test_it_does_what_the_modules_do():
    script = bundle(SCRIPTS, "main.js")
    assert "unused" not in script
    run = "const self = {}; new Function('self', value)(self); return self.answer();"
    assert call("core/text.js", run, script) == [21, 2, 7]


def test_modules_are_found_before_those_that_import_them():
    assert reachable(SCRIPTS, "main.js") == ["b.js", "core/a.js", "main.js"]


def test_the_worker_is_a_classic_script():
    script = bundle(player_files(pages.SCRIPTS).scripts, pages.WORKER)
    run = "new Function('self', value); return true;"  # which refuses import and export
    assert call("core/text.js", run, script)


@pytest.mark.parametrize(
    ("scripts", "problem"),
    [
        ({"a.js": "import { b } from './b.js';"}, r"a\.js imports b\.js, which is not a script of the player"),
        (
            {"a.js": "import { b } from './b.js';", "b.js": "import { a } from './a.js';"},
            r"a\.js imports b\.js imports a\.js: a circle",
        ),
        ({"a.js": "export default 1;"}, "cannot be bundled because of 'export default 1;'"),
        ({"a.js": "import * as b from './b.js';"}, 'cannot be bundled because of "import'),
        ({"a.js": "const a = new URL('x', import.meta.url);"}, r"cannot be bundled because of 'import\.meta'"),
    ],
)
def test_what_it_does_not_understand_is_told(scripts, problem):
    with pytest.raises(ValueError, match=problem):
        bundle(scripts, "a.js")
