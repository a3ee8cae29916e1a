"""The documents name all that there is, and nothing that there isn't."""

import re
import subprocess

import pytest

from lib.nginx import BUILD
from lib.process import REPOSITORY

DOCS = REPOSITORY / "docs"


def doc(name):
    return (DOCS / name).read_text()


def sources(*patterns):
    """The text of the sources, without comments."""
    text = "".join(path.read_text() for pattern in patterns
                   for path in sorted(REPOSITORY.glob(pattern)))
    assert text, f"no sources in {patterns}"
    return re.sub(r"/\*.*?\*/", "", text, flags=re.S)


def directives():
    """Names in tables of ngx_command_t."""
    tables = re.findall(r"ngx_command_t\s+\w+\[\]\s*=\s*\{(.*?)\n\};",
                        sources("ngx_module/*.c"), re.S)
    assert tables
    return {name for table in tables
            for name in re.findall(r'ngx_string\("(\w+)"\)', table)}


def variables():
    return set(re.findall(r'ngx_string\("(leerpoort_\w+)"\)', sources(
        "ngx_module/*.c"))) - directives()


def code(text):
    """What stands between backticks or in code blocks."""
    blocks = re.findall(r"^```.*?\n(.*?)^```", text, re.S | re.M)
    blocks += re.findall(r"^    (?! *[-*] )(.*)$", text, re.M)
    return "\n".join(re.findall(r"`([^`\n]+)`", text) + blocks)


def metrics_of_the_page(edge):
    page = edge.click("/metrics").body.decode()
    return set(re.findall(r"^# TYPE (\w+) ", page, re.M))


def test_design_s_directives_are_there():
    expected = {
        "leerpoort_zone", "leerpoort_redis", "leerpoort_pepper",
        "leerpoort_issuer", "leerpoort_click", "leerpoort_token",
        "leerpoort_login", "leerpoort_public_url", "leerpoort_activate",
        "leerpoort_content_hosts", "leerpoort_token_time",
        "leerpoort_mirror_time", "leerpoort_stale", "leerpoort_auth",
        "leerpoort_usage", "leerpoort_metrics", "leerpoort_key_socket",
        "leerpoort_ticket", "leerpoort_pages", "leerpoort_page"}
    assert {d for d in directives() if d.startswith("leerpoort")} == expected


def test_design_s_variables_are_there():
    assert variables() == {
        "leerpoort_outcome", "leerpoort_mirror", "leerpoort_product",
        "leerpoort_school", "leerpoort_school_alias", "leerpoort_user",
        "leerpoort_users", "leerpoort_role", "leerpoort_person",
        "leerpoort_token_iat", "leerpoort_client", "leerpoort_scope",
        "leerpoort_entitlement", "leerpoort_right", "leerpoort_return",
        "leerpoort_session", "leerpoort_code", "leerpoort_reason"}


def test_directives_document_names_every_directive():
    text = code(doc("directives.md"))
    missing = {d for d in directives() if not re.search(rf"\b{d}\b", text)}
    assert not missing


def test_directives_document_names_every_variable():
    text = doc("directives.md")
    missing = {v for v in variables()
               if not re.search(rf"\${v}\b", text)}
    assert not missing


def test_directives_document_names_nothing_else():
    text = doc("directives.md")
    named = set(re.findall(r"(?<![\w$/.-])(leerpoort_[a-z_]+)(?![\w./])",
                           code(text)))
    assert named - directives() - variables() == set()
    assert set(re.findall(r"\$(leerpoort_[a-z_]+)", text)) \
        <= variables() | {"leerpoort"}


@pytest.mark.parametrize("where", [
    "README.md", "docs/*.md", "lua-free-conf/**/*", "demo/**/*",
    "loadtest/*.conf"])
def test_no_document_names_a_directive_that_is_not_there(where):
    known = directives() | variables()
    for path in REPOSITORY.glob(where):
        if not path.is_file() or path.name in ("metrics.md",):
            continue
        text = path.read_text(errors="replace")
        lines = re.findall(r"^\s*(leerpoort_[a-z_]+)\s[^;\n=(]*;", text, re.M)
        assert set(lines) <= known, path
        assert set(re.findall(r"\$(leerpoort_[a-z_]+)", text)) <= known, path


def test_data_model_names_every_kind_of_key():
    """The prefixes that the edge listens to, and no others it would miss."""
    text = doc("data-model.md")
    for prefix in ("u:{NN}:", "s:{NN}:", "a:{NN}:", "p:{NN}:"):
        assert prefix in text, prefix
    tracked = set(re.findall(r'"([a-z]+:)"', re.search(
        r"prefixes\[\] = \{([^}]*)\}", sources("ngx_module/*.c"))[1]))
    assert tracked == {"u:", "s:", "a:", "p:"}


def test_data_model_names_every_field_of_a_product():
    text = code(doc("data-model.md"))
    fields = set(re.findall(r'lp_span_equal\(name, lp_span\("(\w+)"\)\)',
                            sources("core/product.c")))
    assert fields == {"url", "deep", "free", "in", "name", "licence",
                      "ticket"}
    assert not {f for f in fields if not re.search(rf"\b{f}\b", text)}


def test_data_model_names_every_field_of_an_entitlement():
    text = doc("data-model.md")
    table = text[text.index("## Entitlement"):text.index("## Journal")]
    named = set(re.findall(r"`(\w+)`", "".join(
        line.split("|")[1] for line in table.splitlines()
        if line.startswith("| `"))))
    kept = set(re.findall(r'^    \{"(\w+)", [A-Z]+,',
                          sources("workers/record.c"), re.M))
    assert len(kept) > 20
    assert named == kept


def test_data_model_names_every_key_of_the_workers():
    """Every name with a shard that the workers or the edge build."""
    text = doc("data-model.md")
    code_ = "".join(sources(f"{folder}/*.c")
                    for folder in ("workers", "sso", "ngx_module"))
    kinds = set(re.findall(r'"([a-z]+):\{', code_)) | set(
        re.findall(r'(?:lp_key_of|lp_secret_key|write_key)'
                   r'\([\w>.-]+, "([a-z]+)"', code_))
    assert {"journal", "usage", "jti", "week", "seen", "signin",
            "once"} <= kinds
    for kind in kinds:
        assert f"`{kind}:{{NN}}" in text, kind


def test_data_model_names_every_key_of_the_acl():
    """Whatever a part of Leerpoort may touch is written down."""
    text = doc("data-model.md")
    kinds = set(re.findall(r"~([a-z]+)[:* ]", (
        REPOSITORY / "lua-free-conf" / "users.acl").read_text()))
    assert {"session", "signout", "link", "once"} <= kinds
    missing = {kind for kind in kinds
               if f"`{kind}:" not in text and f"`{kind}`" not in text}
    assert not missing


def test_metrics_document_and_page_agree(edge):
    page = metrics_of_the_page(edge)
    assert len(page) > 10
    named = set(re.findall(r"\b(leerpoort_[a-z0-9_]+)\b", code(
        doc("metrics.md"))))
    base = {re.sub(r"_(bucket|sum|count)$", "", n)
            if re.sub(r"_(bucket|sum|count)$", "", n) in page else n
            for n in named} - directives() - variables()
    assert page - base == set(), "not in docs/metrics.md"
    assert base - page == set(), "not on the metrics page"


def test_outcomes_are_documented_everywhere():
    names = set(re.findall(r'"([a-z-]+)"', re.search(
        r"\{(.*?)\n\};", sources("core/outcome.c"), re.S)[1]))
    assert len(names) == 12
    text = "".join(p.read_text() for p in DOCS.glob("*.md"))
    assert not {n for n in names if f"`{n}`" not in text}


def test_what_is_said_to_operators_names_commands_that_are_there():
    """In the texts of the sources, in the documents, in the examples."""
    listed = subprocess.run([BUILD / "leerpoort", "--help"], check=True,
                            capture_output=True, text=True).stdout
    known = {" ".join(line.split("  ")[1].split()[:2])
             for line in listed.splitlines() if line.startswith("  ")}
    alone = {name for name in known if " " not in name}
    assert {"right show", "explain"} <= known
    text = sources("core/*.c", "workers/*.c", "sso/*.c", "docs/*.md",
                   "lua-free-conf/*.conf", "lua-free-conf/*.md", "README.md")
    named = set(re.findall(r"`leerpoort ([a-z][a-z-]*(?: [a-z-]+)?)(?![|a-z])",
                           re.sub(r'"\s*\n\s*"', "", text)))
    assert {name for name in named if name not in known
            and name.split()[0] not in alone} == set()


def test_operations_document_knows_every_bad_day():
    text = doc("operations.md").lower()
    for word in ("redis", "jwks", "pepper", "reload", "zone", "stale"):
        assert word in text, word


def load(*args):
    return subprocess.run([BUILD / "leerpoort-load", *args], check=True,
                          capture_output=True, text=True, timeout=30).stdout


def commands_of_load():
    return re.findall(r"^  ([a-z-]+(?: [a-z]+)?)  ", load("--help"), re.M)


def test_load_document_names_every_command_and_option_and_none_else():
    parts = re.split(r"^## `([^`]+)`$", doc("load.md"), flags=re.M)
    sections = dict(zip(parts[1::2], parts[2::2]))
    assert sorted(sections) == sorted(commands_of_load())
    assert len(sections) == 10
    for command, section in sections.items():
        has = dict(re.findall(r"^  --([a-z-]+) ?([^ ]\S*)?  ",
                              load(*command.split(), "--help"), re.M))
        del has["help"]
        items = "".join(re.findall(r"^- ((?:`--[^`]+`(?:, )?)+):", section,
                                   re.M))
        assert dict(re.findall(r"`--([a-z-]+) ?([^`]*)`", items)) == has, \
            command
        shown = re.search(r"^`leerpoort-load ([^`]+)`$", section, re.M)[1]
        assert shown.startswith(command)
        assert set(re.findall(r"--([a-z-]+)", section)) <= set(has), command


def test_load_document_says_the_defaults_that_help_says():
    parts = re.split(r"^## `([^`]+)`$", doc("load.md"), flags=re.M)
    for command, section in zip(parts[1::2], parts[2::2]):
        help_ = load(*command.split(), "--help")
        for name, default in re.findall(
                r"^  --([a-z-]+) .*\((\d[\d.]*|/\S+)\)$", help_, re.M):
            item = re.search(rf"^- .*`--{name}[ `].*?(?=^- |^$|\Z)", section,
                             re.M | re.S)[0]
            assert default in item or "as for" in item, (command, name)


def test_help_of_load_fits_a_terminal():
    for command in commands_of_load():
        for line in load(*command.split(), "--help").splitlines():
            assert len(line) <= 80, line


def test_links_between_documents_lead_somewhere():
    for path in [REPOSITORY / "README.md", REPOSITORY / "sso/README.md",
                 REPOSITORY / "loadtest/README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)",
                                 path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), (path, target)


def test_a_reader_of_sso_is_told_of_each_file():
    told = (REPOSITORY / "sso/README.md").read_text()
    for path in (REPOSITORY / "sso").glob("*.c"):
        assert re.search(rf"\b{path.stem}\b", told), path


def test_everything_is_free_of_lua():
    for folder in ("core", "ngx_module", "workers", "sso", "loadtest",
                   "lua-free-conf", "demo"):
        for path in (REPOSITORY / folder).rglob("*"):
            assert path.suffix != ".lua", path
