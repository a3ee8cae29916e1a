"""The pages of the demo: plain HTML without scripts, Dutch with English below.

A page is written once, at start; what changes from click to click (the book
that was opened, the way back, what the seller knows) is filled in by nginx' SSI.
"""

import html

import cast

STYLE = """\
:root {
    --ink: #1c2431; --soft: #566176; --paper: #f6f4ef; --card: #fff;
    --line: #ddd8cc; --accent: #1f5f8b; --good: #1d6b3a; --wait: #8a5a00;
    --bad: #a02b2b; color-scheme: light dark;
}
@media (prefers-color-scheme: dark) {
    :root {
        --ink: #e9e6df; --soft: #a5adba; --paper: #171b22; --card: #20262f;
        --line: #38404c; --accent: #8cc4ec; --good: #7fd39b; --wait: #e8bd6a;
        --bad: #f19a9a;
    }
}
* { box-sizing: border-box; }
body {
    margin: 0; background: var(--paper); color: var(--ink);
    font: 1.0625rem/1.5 system-ui, "Segoe UI", Ubuntu, sans-serif;
}
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2.25rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .75rem; }
p { margin: .4rem 0; max-width: 42rem; }
a { color: var(--accent); text-underline-offset: .2em; }
a:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
[lang=en] { color: var(--soft); font-size: .92em; }
ul { list-style: none; margin: 0; padding: 0; }
.people { display: grid; gap: .9rem; margin-top: 1rem;
          grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); }
.people a, .people strong.card {
    display: block; height: 100%; padding: 1rem 1.1rem; font-weight: normal;
    background: var(--card); color: inherit; text-decoration: none;
    border: 1px solid var(--line); border-radius: .7rem;
}
.people a:hover { border-color: var(--accent); }
.people strong.card { border: 2px solid var(--accent); }
.people b { display: block; font-size: 1.1rem; }
.people span { display: block; }
.links { background: var(--card); border: 1px solid var(--line);
         border-radius: .7rem; overflow: hidden; }
.links li { display: grid; gap: .2rem 1rem; padding: .7rem 1.1rem;
            grid-template-columns: minmax(0, 1fr) 13.5rem;
            align-items: center; }
.links li + li { border-top: 1px solid var(--line); }
.links .what span { display: block; }
.outcome { border-left: .35rem solid; padding-left: .75rem; }
.outcome code { font-size: .95rem; font-weight: 600; }
.outcome > span { display: block; font-size: .9rem; color: var(--soft); }
.good { border-color: var(--good); } .good code { color: var(--good); }
.wait { border-color: var(--wait); } .wait code { color: var(--wait); }
.bad { border-color: var(--bad); } .bad code { color: var(--bad); }
.book { margin: 2rem 0; padding: 1.5rem; background: var(--card);
        border: 1px solid var(--line); border-left: .6rem solid var(--good);
        border-radius: .7rem; }
table.seller { width: 100%; border-collapse: collapse; background: var(--card);
               border: 1px solid var(--line); }
.seller th, .seller td { text-align: left; padding: .5rem .8rem;
                         border-bottom: 1px solid var(--line); }
.seller th span { display: block; font-weight: normal; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr);
     gap: .3rem 1.2rem; margin: 1rem 0 0; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
footer { margin-top: 2.5rem; padding-bottom: 2.5rem; font-size: .95rem; }
@media (max-width: 38rem) {
    .links li { grid-template-columns: 1fr; }
    table.seller { display: block; overflow-x: auto; }
}
"""

_FRAME = """\
<!doctype html>
<html lang="nl">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="/stijl.css">
</head>
<body>
<header>
<h1>{title}</h1>
{intro}
</header>
<main>
{body}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""

_KIND = {"redirect": "good", "login": "wait",
         "not-yet": "wait", "unavailable": "wait"}


def _both(dutch, english):
    return f'<p>{dutch}</p>\n<p lang="en">{english}</p>'


def _frame(title, intro, body, footer=""):
    return _FRAME.format(title=title, intro=intro, body=body, footer=footer)


def _card(person):
    return (f"<b>{html.escape(person.name)}</b>"
            f"<span>{html.escape(person.role)}</span>"
            f"<span>{html.escape(person.school.name)}</span>"
            f'<span lang="en">{html.escape(person.role_en)}</span>')


def _people(idp, chosen=None, back=""):
    """The people as cards, each a way to sign in at the school; chosen: whose
    page this is."""
    cards = []
    for person in cast.PEOPLE:
        if person is chosen:
            cards.append('<li><strong class="card" aria-current="true">'
                         f"{_card(person)}</strong></li>")
        else:
            cards.append(f'<li><a href="{idp}/als/{person.who}{back}">'
                         f"{_card(person)}</a></li>")
    return '<ul class="people">\n' + "\n".join(cards) + "\n</ul>"


def _outcome(outcome, first_use=False):
    status, dutch, english = cast.OUTCOMES[outcome]
    if first_use:
        dutch, english = "gaat open, en activeert", "opens, and activates"
    return (f'<div class="outcome {_KIND.get(outcome, "bad")}">'
            f"<code>{status} {outcome}</code>"
            f'<span>{dutch} · <span lang="en">{english}</span></span></div>')


def _link(leerpoort, person, link):
    return (f'<li><div class="what">'
            f'<a href="{leerpoort}/{link.location}/{link.path}">'
            f"{html.escape(link.title)}</a>"
            f"<span>{html.escape(link.dutch)}</span>"
            f'<span lang="en">{html.escape(link.english)}</span></div>'
            + _outcome(cast.expected(person, link),
                       cast.activates(person, link)) + "</li>")


def _links(leerpoort, person):
    own = [link for link in cast.LINKS if not link.outcome]
    others = [link for link in cast.LINKS if link.outcome]
    return "\n".join([
        '<h2>Boeken <span lang="en">Books</span></h2>',
        '<ul class="links">', *[_link(leerpoort, person, link) for link in own], "</ul>",
        '<h2>Als het misgaat <span lang="en">When things go wrong</span></h2>',
        '<ul class="links">', *[_link(leerpoort, person, link) for link in others],
        "</ul>"])


def _metrics(leerpoort):
    return _both(
        f'Wat de poort telt: <a href="{leerpoort}/metrics">/metrics</a>. '
        "Iedereen hier is verzonnen, de boeken ook.",
        "What the gate counts: /metrics. Everybody here is invented, "
        "and so are the books.")


def start(places):
    return _frame(
        "Demoportaal", _both(
            "Dit is het portaal van een school die niet bestaat. Kies wie je "
            "bent: dan log je in bij school. Daarna staan hier de links naar "
            "de boeken, met ernaast hoe de klik hoort te eindigen.",
            "This is the portal of a school that does not exist. Choose who "
            "you are: that signs you in at school. The links to the books "
            "come next, and beside each how the click should end."),
        '<h2>Wie ben je? <span lang="en">Who are you?</span></h2>\n'
        + _people(places.idp), _metrics(places.leerpoort))


def _bought(person):
    """What the seller knows of this person's books: filled in on each look."""
    return ('\n<h2>Gekocht <span lang="en">Bought</span></h2>\n' + _both(
        "Wat de verkoper stuurde, en wat hij van Leerpoort terughoorde. "
        "Klik op een boek, ga terug, en kijk wat er veranderde.",
        "What the seller sent, and what it heard from Leerpoort. Click a "
        "book, go back, and see what changed.")
        + f'\n<!--# include virtual="/verloop/{person.who}" -->\n')


def _ways(places, person):
    """The other ways in: My books, and for one school an LMS."""
    ways = [f'<li><a href="{places.leerpoort}/">Mijn boeken</a> bij Leerpoort '
            '<span lang="en">my books at Leerpoort</span></li>']
    if person.school is cast.HAVEN:
        ways.append(f'<li><a href="{places.lms}/?als={person.who}">De cursus '
                    'in het LMS</a> <span lang="en">the course in the LMS '
                    "(LTI)</span></li>")
    return "<ul>" + "".join(ways) + "</ul>"


def portal(places, person):
    return _frame(
        f"Dag {html.escape(person.name)}", _both(
            f"Je bent ingelogd bij {html.escape(person.school.name)}. Klik op "
            "een link; Leerpoort vraagt dan bij school na wie je bent. De "
            "terugknop brengt je weer hier.",
            f"You are logged in at {html.escape(person.school.name)}. Click a "
            "link; Leerpoort then asks the school who you are. The back "
            "button brings you here again."),
        _ways(places, person) + _bought(person)
        + _links(places.leerpoort, person)
        + '\n<h2>Iemand anders? <span lang="en">Somebody else?</span></h2>\n'
        + _people(places.idp, chosen=person),
        f'<p><a href="{places.idp}/uit">Uitloggen</a> '
        '<span lang="en">log out</span></p>\n' + _metrics(places.leerpoort))


def login(idp, asked=""):
    """The identity provider's page. asked: the sign-in that waits."""
    return _frame(
        "Inloggen bij school", _both(
            "Hier zou de school om je wachtwoord vragen. In deze demo kies je "
            "iemand, en dan gaat de klik verder.",
            "Here the school would ask for your password. In this demo you "
            "choose somebody, and the click goes on."),
        _people(idp, back=f"?aanvraag={html.escape(asked)}" if asked else ""),
        _both("Dit is de identity provider van de demo, geen deel van "
              "Leerpoort.",
              "This is the demo's identity provider, no part of Leerpoort."))


def lms(person, rows, add, others):
    """A course in the LMS, with a frame for what is opened."""
    return _frame(
        "Klas 2", _both(
            f"Het demo-LMS van het Havenlyceum. Je bent "
            f"{html.escape(person.name)}. Geen deel van Leerpoort.",
            f"The demo LMS of Havenlyceum. You are "
            f"{html.escape(person.name)}. No part of Leerpoort."),
        '<h2>Links in deze cursus <span lang="en">Links in this course</span>'
        f"</h2>\n<ul>{rows}</ul>\n{add}\n"
        '<iframe name="boek" title="Het boek" width="100%" height="600">'
        "</iframe>",
        f'<p>Iemand anders <span lang="en">somebody else</span>: {others}</p>')


def lms_added(titles):
    """What the frame shows once the teacher has picked, or nothing."""
    rows = "".join(f"<li>{html.escape(title)}</li>" for title in titles)
    said = _both("Deze links staan nu in de cursus:",
                 "These links are in the course now:") if titles else \
        _both("Er is niets gekozen.", "Nothing was chosen.")
    return _frame("Toegevoegd" if titles else "Niets toegevoegd", said,
                  f"<ul>{rows}</ul>" if titles else "",
                  '<p><a href="/?als=devries" target="_top">Naar de cursus</a> '
                  '<span lang="en">to the course</span></p>')


def form_post(url, fields):
    """OAuth 2.0 Form Post: an LMS's page that sends itself on."""
    hidden = "".join(
        f'<input type="hidden" name="{html.escape(name, quote=True)}" '
        f'value="{html.escape(value, quote=True)}">'
        for name, value in fields.items())
    return _frame("Naar het boek", "", (
        f'<form method="post" action="{html.escape(url, quote=True)}">'
        f"{hidden}<button>Verder / continue</button></form>\n"
        "<script>document.forms[0].submit()</script>"))


def book(portal_address):
    return _frame(
        '<!--#echo var="title" default="Een boek" -->', _both(
            "Je bent bij de uitgever. Dit werd geopend:",
            "You are at the publisher. This was opened:"),
        '<div class="book">\n<dl>\n<dt>Boek <span lang="en">product</span></dt>'
        '<dd><code><!--#echo var="book" default="-" --></code></dd>\n'
        '<dt>Plaats <span lang="en">path</span></dt>'
        '<dd><code><!--#echo var="chapter" default="(begin)" --></code></dd>\n'
        '<dt>Verwijzer <span lang="en">referrer</span></dt>'
        '<dd><code><!--#echo var="referer" default="(geen)" --></code></dd>\n'
        '<!--# if expr="$arg_ticket" -->'
        '<!--# include virtual="/kaartje?ticket=$arg_ticket" -->'
        "<!--# endif -->\n</dl>\n</div>",
        f'<p><a href="{portal_address}">Naar het portaal</a> '
        '<span lang="en">to the portal</span></p>')


def write(folder, places):
    pages = {"start.html": start(places), "boek.html": book(places.portal),
             "stijl.css": STYLE}
    for person in cast.PEOPLE:
        pages[f"{person.who}.html"] = portal(places, person)
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")
