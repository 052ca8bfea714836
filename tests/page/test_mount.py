"""How the player comes into the page, and out of it again."""

from playwright.sync_api import expect
from support.samples import PHOTOS
from support.servers import http
from support.web import captions, upload

from capmodel.output.player import player_files

IMPORT = """Promise.all(['/main.js', '/engines/server.js'].map(path => import(
    performance.getEntriesByType('resource').map(each => each.name).find(name => name.endsWith(path)))))"""


def test_scripts_are_kept_by_browsers_until_they_change(address):
    files = player_files()
    for path, text in files.scripts.items():
        answer = http.get(f"{address}player/{files.version}/{path}")
        assert answer.text == text
        assert answer.headers["content-type"].startswith("text/javascript")
        assert "immutable" in answer.headers["cache-control"]
    assert http.get(f"{address}player/another/main.js").status_code == 404
    for path in ("package.json", "tests/store.test.js", "%2e%2e/gallery.json"):
        assert http.get(f"{address}player/{files.version}/{path}").status_code == 404


def test_what_was_chosen_before_the_player_was_there(page):
    """On a slow line a visitor may be quicker than the scripts."""
    held = []
    page.route("**/player/*/main.js", lambda route: held.append(route))
    page.reload()
    page.wait_for_selector(".root .files", state="attached")
    upload(page, PHOTOS / "soccer-players.jpg")
    expect(page.locator(".root.ready")).to_have_count(0)
    for route in held:
        route.continue_()
    assert len(captions(page, 1)) == 1


def test_scripts_do_not_wait_for_each_other(page, address):
    links = page.locator("link[rel=modulepreload]").evaluate_all("all => all.map(each => each.href)")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(each => each.name)")
    scripts = [each for each in loaded if each.startswith(f"{address}player/{player_files().version}/")]
    assert f"{address}player/{player_files().version}/main.js" in scripts
    assert {*scripts} <= {*links}


def test_scripts_that_do_not_come_are_told(browser, address):
    """As when a server was renewed while a page was loading."""
    page = browser.new_page()
    page.route("**/player/*/main.js", lambda route: route.fulfill(status=404, body="There is no such script."))
    page.goto(address)
    expect(page.locator(".invite")).to_have_text("The player could not be loaded. Please reload this page.")
    page.close()


def test_a_player_that_is_taken_out_listens_no_more(page):
    upload(page, PHOTOS / "soccer-players.jpg")
    captions(page, 1)
    expect(page.locator(".player")).to_be_visible()
    page.evaluate(
        f"""async () => {{
            const [{{ mount }}, {{ ServerEngine }}] = await {IMPORT};
            const element = document.querySelector('.root').parentElement;
            const value = {{ samples: [], attentions: ['softmax'], retention_minutes: 1, largest_bytes: 1e8, most_photos: 9,
                            photo_rules: {{ photo_suffixes: [], other_suffixes: [], system_folders: [], photo_starts: ['JPEG'], start: 9 }},
                            constants: {{ overlay_color: [0, 0, 0], opacity: 1, clear: 8, end_word: '.', function_words: [], gendered_words: [] }} }};
            window.sent = [];
            const server = {{ sample: async question => (window.sent.push(question), {{ error: 'no' }}) }};
            window.unmount = mount(element, {{ value }}, new ServerEngine(server));   // takes the place of the page's own
        }}"""
    )
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator(".player")).to_be_hidden()
    drop = """() => {
        const transfer = new DataTransfer();
        transfer.items.add(new File(['x'], 'notes.txt', { type: 'text/plain' }));
        document.querySelector('.root').dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }"""
    page.evaluate(drop)
    expect(page.locator(".card")).to_have_count(1)  # one player took it, not two
    page.evaluate("window.unmount()")
    expect(page.locator(".card")).to_have_count(0)
    page.evaluate(drop)
    page.wait_for_timeout(200)
    expect(page.locator(".card")).to_have_count(0)
    expect(page.locator(".root.ready")).to_have_count(0)
