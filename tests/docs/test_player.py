"""The ladder player, in a real browser: it plays, steps, scrubs, reads as text, stays at home."""

import re

import pytest

PAGE = "eras/1/"
SCRUB = "document.querySelector('packet-ladder').shadowRoot.querySelector('.scrub')"
BEAT_MS = 900  # of packet-ladder.js
TAKE_TIME = """ladder => { // for it alone time passes only when, and as far as, the test says
    let now = 0, frames = [], beats = [];
    const ours = {
        requestAnimationFrame: each => frames.push(each),
        cancelAnimationFrame: () => { frames = []; },
        setInterval: (each, ms) => beats.push({ each, ms, at: now + ms }),
        clearInterval: () => { beats = []; },
    };
    const within = act => (...given) => {
        const theirs = Object.fromEntries(Object.keys(ours).map(name => [name, window[name]]));
        Object.assign(window, ours);
        performance.now = () => now;
        try { act.apply(ladder, given); }
        finally { Object.assign(window, theirs); delete performance.now; }
    };
    ladder.play = within(ladder.play);
    ladder.pause = within(ladder.pause);
    ladder.pass = within(ms => {
        now += ms;
        for (const beat of beats) for (; beat.at <= now; beat.at += beat.ms) beat.each();
        const due = frames;
        frames = [];
        for (const each of due) each(now);
    });
}"""


def seconds(text: str) -> float:
    return float(re.search(r"[\d.,]+", text)[0].replace(",", "")) / 1000


@pytest.fixture
def ladder(visit):
    one = visit(PAGE)
    player = one.page.locator("packet-ladder").first
    player.scroll_into_view_if_needed()
    yield player
    assert not one.complaints
    assert not one.outside


def clock(player) -> float:
    return seconds(player.locator("output").inner_text())


def place(player) -> float:
    return float(player.locator(".scrub").input_value())


def let_pass(player, ms: int) -> None:
    player.evaluate(f"ladder => ladder.pass({ms})")


def wind(player, to: int) -> None:
    player.locator(".scrub").evaluate(
        f"range => {{ range.value = {to}; range.dispatchEvent(new Event('input')) }}"
    )


def test_it_shows_the_whole_run_at_first_and_plays_it_from_the_beginning(ladder) -> None:
    whole = clock(ladder)
    assert whole > 0 and ladder.locator(".m:visible").count() > 3
    ladder.evaluate(TAKE_TIME)
    ladder.locator("select").select_option("5")
    ladder.get_by_role("button", name="Play", exact=True).click()
    ladder.get_by_role("button", name="Pause").wait_for()
    places = []
    for _ in range(3):
        places.append(place(ladder))
        assert clock(ladder) < whole
        let_pass(ladder, 200)
    assert places == pytest.approx([0, places[1], 2 * places[1]]) and places[1] > 0
    let_pass(ladder, 600_000)
    ladder.get_by_role("button", name="Play", exact=True).wait_for()
    assert clock(ladder) == whole


def test_it_steps_to_and_fro_and_says_what_happens(ladder) -> None:
    wind(ladder, 0)
    assert ladder.locator(".m:visible").count() == 0
    ladder.get_by_role("button", name="Step forward").click()
    first = ladder.locator(".say").inner_text()
    assert re.search(r"sends|receives", first)
    ladder.get_by_role("button", name="Step forward").click()
    assert ladder.locator(".say").inner_text() != first
    ladder.get_by_role("button", name="Step back").click()
    assert ladder.locator(".say").inner_text() == first


def test_it_can_be_wound_to_any_place(ladder) -> None:
    wind(ladder, 500)
    middle = clock(ladder)
    wind(ladder, 1000)
    assert 0 < middle <= clock(ladder)


def test_keys_play_and_step_and_do_not_reach_the_theme(ladder) -> None:
    page, url = ladder.page, ladder.page.url
    wind(ladder, 0)
    ladder.locator(".view").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert ladder.locator(".m:visible").count() > 0
    page.keyboard.press("n")  # to the theme: the next page
    page.keyboard.press("s")  # to the theme: search
    before = place(ladder)
    page.keyboard.press(" ")
    ladder.get_by_role("button", name="Pause").wait_for()
    page.wait_for_function(f"() => {SCRUB}.value > {before}")
    page.keyboard.press(" ")
    ladder.get_by_role("button", name="Play", exact=True).wait_for()
    assert page.url == url


def test_variants_of_a_run_can_be_chosen(visit) -> None:
    one = visit(PAGE)
    player = one.page.locator("packet-ladder:has(data:nth-of-type(2))").first
    title = player.locator("figcaption").inner_text()
    player.locator("input[type=radio]").nth(1).check()
    assert player.locator("figcaption").inner_text() != title
    assert not one.complaints


def test_the_same_run_can_be_read(ladder) -> None:
    ladder.get_by_text("The same run as text").click()
    assert ladder.locator("li:visible").count() >= ladder.locator(".m").count()


def test_without_scripts_the_run_is_there_as_text(visit) -> None:
    page = visit(PAGE, has_script=False).page
    assert page.locator("packet-ladder").first.locator("li:visible").count() > 3


def test_who_wants_no_motion_gets_one_row_a_beat(visit) -> None:
    page = visit(PAGE, reduced_motion="reduce").page
    player = page.locator("packet-ladder").first
    player.scroll_into_view_if_needed()
    wind(player, 0)
    player.evaluate(TAKE_TIME)
    player.get_by_role("button", name="Play", exact=True).click()
    let_pass(player, BEAT_MS - 1)
    assert place(player) == 0
    let_pass(player, 1)
    assert place(player) > 0 and player.locator(".m:visible").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_in_light_and_dark_on_phone_and_desk(visit, scheme, width) -> None:
    one = visit(PAGE, color_scheme=scheme, viewport={"width": width, "height": 800})
    page = one.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    ground, ink = page.evaluate(
        """() => { const view = document.querySelector('packet-ladder')
            .shadowRoot.querySelector('.view');
        const light = colour => colour.match(/[\\d.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0);
        return [light(getComputedStyle(document.body).backgroundColor),
                light(getComputedStyle(view.querySelector('text')).fill)] }"""
    )
    assert (ground > 600) == (scheme == "light") and (ink < ground) == (scheme == "light")
    assert not one.complaints and not one.outside
