from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexmail.mail.auth_results import MAX_LENGTH
from flexmail.mail.authenticate import Authentication, authenticate, forge, survivor

PASSING = "mx.corp.test; dmarc=pass header.from=corp.test"
FAILING = "mx.corp.test; dmarc=fail header.from=corp.test"


def judged(
    *headers: str, server: str = "mx.corp.test", domain: str = "corp.test"
) -> Authentication:
    return authenticate(headers, authserv_id=server, from_domain=domain)


@pytest.mark.parametrize(
    "header",
    [
        PASSING,
        PASSING + ";",
        PASSING.upper(),
        "mx.corp.test 1; dmarc=pass header.from=corp.test",
        '"mx.corp.test"; dmarc=pass header.from="corp.test"',
        "(by us) mx.corp.test (v1 (beta)) 1 ; dmarc=pass (p=none; sp=none) header.from=corp.test",
        "mx.corp.test;dmarc=pass(p=none dis=none)header.from=corp.test",
        "mx.corp.test; dmarc = pass header . from = corp.test",
        "mx.corp.test; dmarc/1=pass header.from=corp.test",
        'mx.corp.test; dmarc=pass reason="all; is (well)" header.from=corp.test',
        r'mx.corp.test; dmarc=pass reason="a \" b" header.from=corp.test',
        r"mx.corp.test; dmarc=pass (a \) b) header.from=corp.test",
        "mx.corp.test; dmarc=pass header.from=bob@corp.test",
        "mx.corp.test; spf=fail smtp.mailfrom=x.test; dmarc=pass header.from=corp.test",
        'mx.corp.test; spf=pass smtp.mailfrom="a b"@x.test; dmarc=pass header.from=corp.test',
        "mx.corp.test; dkim=fail header.d=corp.test header.b=ab/c+==; "
        "dmarc=pass header.from=corp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test; dmarc=pass header.from=corp.test",
        "mx.corp.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dkim=pass header.i=@corp.test header.d=corp.test header.s=a",
        "mx.corp.test; dkim=pass header.i=@corp.test",
        "mx.corp.test; dkim=pass header.i=bob@corp.test header.s=a",
        "mx.corp.test 01; dmarc/01=pass header.from=corp.test",
        "MX.Corp.TEST; DMARC=Pass Header.From=CORP.test",
        "mx.corp.test;\r\n\tdmarc=pass\r\n\theader.from=corp.test",
        "mx.corp.test; dkim=fail header.d=x.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dmarc=none header.from=corp.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dmarc=bestguesspass header.from=corp.test; dkim=pass header.d=corp.test",
    ],
)
def test_our_server_vouches_for_the_domain(header: str) -> None:
    assert judged(header).passed


@pytest.mark.parametrize(
    "header",
    [
        "",
        "mx.corp.test",
        "mx.corp.test;",
        "mx.corp.test; none",
        "mx.corp.test 1; none",
        FAILING,
        "mx.corp.test; spf=pass smtp.mailfrom=corp.test",
        "mx.corp.test; dmarc=pass",
        "mx.corp.test; dmarc=pass header.from=",
        "mx.corp.test; dmarc=pass header.from=x.test",
        "mx.corp.test; dmarc=pass header.from=sub.corp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test.x.test",
        "mx.corp.test; dmarc=pass header.from=xcorp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test.",
        "mx.corp.test; dmarc=pass header.from=corp.test header.from=x.test",
        "mx.corp.test; dmarc=pass smtp.mailfrom=corp.test",
        "mx.corp.test; dmarc=pass (header.from=corp.test)",
        'mx.corp.test; dmarc=pass reason="x header.from=corp.test"',
        "mx.corp.test; (dmarc=pass header.from=corp.test)",
        "mx.corp.test; (dmarc=pass) dmarc=fail header.from=corp.test",
        "mx.corp.test; dmarc=passed header.from=corp.test",
        "mx.corp.test; dmarc=bestguesspass header.from=corp.test",
        "mx.corp.test; x-dmarc=pass header.from=corp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test; dmarc=fail header.from=corp.test",
        "mx.corp.test; dmarc=fail header.from=x.test; dmarc=pass header.from=corp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test; dmarc=pass header.from=x.test",
        "mx.corp.test; dmarc=fail header.from=corp.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dmarc=temperror header.from=corp.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dmarc=pass header.from=x.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dkim=pass header.i=@x.test",
        "mx.corp.test; dkim=pass header.i=@sub.corp.test",
        "mx.corp.test; dkim=pass header.i=@corp.test header.i=@x.test",
        "mx.corp.test; dkim=pass header.i=@corp.test header.d=x.test",
        "mx.corp.test; dkim=pass header.d=x.test header.i=@corp.test header.s=a",
        "mx.corp.test; dkim=pass header.i=@corp.test@x.test",
        "mx.corp.test; dkim=pass policy.d=corp.test",
        "mx.corp.test; dkim=pass header.from=corp.test",
        "mx.corp.test; dkim=pass header.d=x.test; dkim=fail header.d=corp.test",
        "mx.corp.test; spf=pass header.d=corp.test",
        "mx.corp.test; arc=pass header.d=corp.test; x-dkim=pass header.d=corp.test",
        "mx.corp.test; dmarc=pass policy.from=corp.test",
        "mx.corp.test; dmarc=fail policy.dmarc=pass header.from=corp.test",
        "mx.corp.test; spf=pass dmarc=pass header.from=corp.test",
        'mx.corp.test; spf=none reason="; dmarc=pass header.from=corp.test"',
        "mx.corp.test; spf=none (; dmarc=pass header.from=corp.test;)",
        "mx.corp.test; dmarc=permerror header.from=corp.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dmarc=quarantine header.from=corp.test; dkim=pass header.d=corp.test",
        "mx.corp.test; dkim=pass header.d=x.test",
        "mx.corp.test; dkim=pass header.d=test",
        "mx.corp.test; dkim=pass header.d=.test",
        "mx.corp.test; dkim=pass header.d=sub.corp.test",
        "mx.corp.test; dkim=pass header.d=orp.test",
        "mx.corp.test; dkim=pass header.d=corp.test header.d=x.test",
        "mx.corp.test; dkim=policy header.d=corp.test",
    ],
)
def test_anything_less_than_a_clear_pass_is_none(header: str) -> None:
    judgement = judged(header)
    assert not judgement.passed
    assert judgement.reason


@pytest.mark.parametrize(
    "header",
    [
        "mx.corp.test; dmarc=pass header.from=corp.test (open",
        "mx.corp.test; dmarc=pass header.from=corp.test closed)",
        'mx.corp.test; dmarc=pass header.from=corp.test reason="open',
        "mx.corp.test; dmarc=pass header.from=corp.test stray",
        "mx.corp.test; stray; dmarc=pass header.from=corp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test; none",
        "mx.corp.test;; dmarc=pass header.from=corp.test",
        "mx.corp.test dmarc=pass header.from=corp.test",
        "mx.corp.test one; dmarc=pass header.from=corp.test",
        "mx.corp.test 2; dmarc=pass header.from=corp.test",
        "mx.corp.test; dmarc/2=pass header.from=corp.test",
        r"mx.corp.test; dmarc=pass header.from=corp.test \ ",
        "mx.corp.test; " + "(" * 11 + ")" * 11 + " dmarc=pass header.from=corp.test",
        "mx.corp.test; " + "spf=none;" * 60 + " dmarc=pass header.from=corp.test",
        "mx.corp.test; dmarc=pass header.from=corp.test; x=" + "y" * MAX_LENGTH,
    ],
)
def test_a_header_of_ours_that_breaks_the_grammar_proves_nothing(header: str) -> None:
    judgement = judged(header, PASSING)
    assert not judgement.passed
    assert judgement.reason.startswith("The Authentication-Results header ")


def test_only_the_topmost_header_of_our_server_counts() -> None:
    assert judged("other.test; dmarc=fail header.from=corp.test", PASSING, FAILING).passed
    assert not judged(FAILING, PASSING).passed
    assert not judged("mx.corp.test; none", PASSING).passed
    assert judged("((( some other filter", "MX; stray words", PASSING).passed


@pytest.mark.parametrize("server", ["", " ", "corp.test", "mx", "x.mx.corp.test", "mx.corp.test;"])
def test_another_or_an_empty_server_name_never_matches(server: str) -> None:
    assert not judged(PASSING, server=server).passed
    assert not judged(PASSING.removeprefix("mx.corp.test; "), server=server).passed


def test_an_empty_domain_or_no_header_is_not_authenticated() -> None:
    assert not judged("mx.corp.test; dmarc=pass header.from=", domain="").passed
    assert not judged("mx.corp.test; dkim=pass header.d=", domain="").passed
    assert not judged().passed


def test_a_parent_domain_signs_for_its_subdomain_and_not_the_other_way_round() -> None:
    parent = "mx.corp.test; dkim=pass header.d=corp.test"
    child = "mx.corp.test; dkim=pass header.d=ops.corp.test"
    assert judged(parent, domain="ops.corp.test").passed
    assert not judged(child, domain="corp.test").passed
    assert not judged(child, domain="hr.corp.test").passed


GMAIL = (
    "mx.google.com; dkim=pass header.i=@corp.test header.s=sel1 header.b=Ab3/x+Yz; spf=pass "
    "(google.com: domain of bob@corp.test designates 192.0.2.1 as permitted sender) "
    "smtp.mailfrom=bob@corp.test; dmarc=pass (p=REJECT sp=REJECT dis=NONE) header.from=corp.test"
)
GMAIL_WITHOUT_POLICY = GMAIL.rpartition(";")[0]
FORMS = {
    "gmail": ("mx.google.com", GMAIL),
    "gmail, no policy": ("mx.google.com", GMAIL_WITHOUT_POLICY),
    "opendmarc": (
        "mx.corp.test",
        "mx.corp.test; dmarc=pass (p=none dis=none) header.from=corp.test",
    ),
    "opendkim": (
        "mx.corp.test",
        "mx.corp.test; dkim=pass (2048-bit key; unprotected) header.d=corp.test "
        'header.i=@corp.test header.a=rsa-sha256 header.s=mail header.b="Qk+/x1=="; '
        "dkim-atps=neutral",
    ),
    "rspamd": (
        "mx.corp.test",
        "mx.corp.test; dkim=pass header.d=corp.test header.s=mail header.b=a9+Zs/Kx; arc=none; "
        "spf=pass (mx.corp.test: domain of bob@corp.test designates 2001:db8::1 as permitted "
        "sender) smtp.mailfrom=bob@corp.test; dmarc=pass (policy=reject) header.from=corp.test",
    ),
    "exim": (
        "mx.corp.test",
        "mx.corp.test; iprev=pass (out.corp.test) smtp.remote-ip=192.0.2.1; spf=pass "
        "smtp.mailfrom=corp.test; dkim=pass header.d=corp.test header.s=mail header.a=rsa-sha256; "
        "dmarc=pass header.from=corp.test; arc=none",
    ),
    "fastmail": (
        "mx3.messagingengine.com",
        "mx3.messagingengine.com; arc=none (no signatures found); dkim=pass (2048-bit rsa key "
        "sha256) header.d=corp.test header.i=@corp.test header.b=Fx/1+ header.a=rsa-sha256 "
        "header.s=fm1; dmarc=pass policy.published-domain-policy=none "
        "policy.applied-disposition=none policy.evaluated-disposition=none "
        "(p=none,d=none,d.eval=none) policy.policy-from=p header.from=corp.test; iprev=pass "
        "smtp.remote-ip=192.0.2.1 (out.corp.test); spf=pass smtp.mailfrom=bob@corp.test "
        "smtp.helo=out.corp.test; x-aligned-from=pass (Address match); x-return-mx=pass "
        "header.domain=corp.test policy.is_org=yes (MX Records found: mx.corp.test)",
    ),
    "yahoo": (
        "atlas.example.yahoo.com",
        "atlas.example.yahoo.com; dkim=pass header.i=@corp.test header.s=s1; spf=pass "
        "smtp.mailfrom=corp.test; dmarc=pass(p=REJECT) header.from=corp.test;",
    ),
    "icloud": ("dmarc.icloud.com", "dmarc.icloud.com; dmarc=pass header.from=corp.test"),
    "zoho": (
        "mx.zohomail.com",
        "mx.zohomail.com;\tdkim=pass  header.i=@corp.test header.s=z;\tspf=pass (zohomail.com: "
        "domain of bob@corp.test designates 192.0.2.1 as permitted sender)  "
        "smtp.mailfrom=bob@corp.test;\tdmarc=pass(p=reject dis=none)  header.from=corp.test",
    ),
    "microsoft 365": (
        "microsoft365",
        "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=corp.test; dkim=pass (signature was "
        "verified) header.d=corp.test;dmarc=pass action=none header.from=corp.test;"
        "compauth=pass reason=100",
    ),
    "microsoft with a name": (
        "mx.microsoft.com",
        "mx.microsoft.com 1; spf=pass smtp.mailfrom=corp.test; dmarc=pass action=none "
        "header.from=corp.test; dkim=pass header.d=corp.test; arc=none",
    ),
}


@pytest.mark.parametrize(("server", "header"), FORMS.values(), ids=FORMS)
def test_every_form_passes_as_its_server_writes_it_and_fails_where_that_says_so(
    server: str, header: str
) -> None:
    assert judged(header, server=server).passed
    assert judged(header.upper(), server=server.upper()).passed
    assert judged(header.replace(" ", "\t "), server=server).passed
    assert not judged(header, server=server, domain="evil.test").passed
    assert not judged(header.replace("corp.test", "evil.test"), server=server).passed
    assert not judged(header, server="mx.other.test").passed
    failing = header.replace("dmarc=pass", "dmarc=fail").replace("dkim=pass", "dkim=fail")
    assert not judged(failing, server=server).passed
    assert not judged(failing, header, server=server).passed


@pytest.mark.parametrize(
    ("header", "server"),
    [
        (GMAIL.replace("dmarc=pass", "dmarc=fail"), "mx.google.com"),
        ("mx.corp.test; dmarc=none (p=none dis=none) header.from=corp.test", "mx.corp.test"),
        (
            "spf=none (sender IP is 192.0.2.1) smtp.mailfrom=corp.test; dkim=none (message not "
            "signed) header.d=none;dmarc=none action=none header.from=corp.test;compauth=pass "
            "reason=130",
            "microsoft365",
        ),
        (
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=corp.test; corp.test; dkim=pass "
            "(signature was verified) header.d=corp.test;corp.test; dmarc=pass action=none "
            "header.from=corp.test;",
            "microsoft365",
        ),
        (
            "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=corp.test; dkim=fail (body hash did "
            "not verify) header.d=corp.test;dmarc=fail action=oreject header.from=corp.test;"
            "compauth=pass reason=130",
            "microsoft365",
        ),
        ("spf.icloud.com; spf=pass smtp.mailfrom=bob@corp.test", "spf.icloud.com"),
    ],
)
def test_what_a_server_writes_about_an_unproven_sender_is_no_pass(header: str, server: str) -> None:
    assert not judged(header, server=server).passed


def test_of_several_filters_under_one_name_the_topmost_decides() -> None:
    opendkim = "mx.corp.test; dkim=pass (2048-bit key) header.d=corp.test header.i=@corp.test"
    spf = "mx.corp.test; spf=pass smtp.mailfrom=corp.test"
    assert judged(PASSING, opendkim).passed
    assert judged(opendkim, PASSING).passed
    assert not judged(FAILING, opendkim).passed
    assert not judged(spf, PASSING, opendkim).passed


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
HEADERS = st.sampled_from([header for _, header in FORMS.values()])


@given(header=HEADERS, server=DOMAINS)
def test_no_header_of_another_server_passes(header: str, server: str) -> None:
    named = header.lower().startswith((f"{server};", f"{server} 1;"))
    assert judged(header, server=server).passed is named


@given(server=st.one_of(st.just("microsoft365"), st.text(max_size=40)), extra=st.text(max_size=40))
def test_without_the_name_of_the_server_nothing_passes(server: str, extra: str) -> None:
    """The name of the configured server is what counts: without it the rest says nothing."""
    claims = PASSING.removeprefix("mx.corp.test; ")
    for header in (claims, f"; {claims}", f"{extra}; {claims}", f"{server}{extra}; {claims}"):
        if "mx.corp.test" not in header:
            assert not judged(header).passed


@given(
    server=st.one_of(DOMAINS, st.just("microsoft365"), st.just("Mx 1"), st.just('a"b\\c;d=(e')),
    domain=DOMAINS,
)
def test_a_forged_header_is_what_a_reader_would_believe(server: str, domain: str) -> None:
    for forged in forge(server, domain):
        assert judged(forged, server=server, domain=domain).passed
        assert survivor([PASSING, forged], authserv_id=server, domain=domain) == forged


FORGED = forge("mx.corp.test", "n0nce.invalid")[0]


@pytest.mark.parametrize(
    "headers",
    [
        [FORGED],
        [FORGED.upper()],
        [PASSING, FORGED],
        ["other.test; none"] * 60 + [FORGED],
        [FORGED.replace("pass", "fail")],
        ["mx.corp.test; dkim=none (was: dmarc=pass header.from=n0nce.invalid)"],
        ["mx.corp.test; dkim=pass header.d=n0nce.invalid"],
        ["mx.corp.test; dmarc=pass (torn"],
        ["(mx.corp.test; dmarc=pass"],
        [f"{FORGED}; x=" + "y" * MAX_LENGTH],
    ],
)
def test_whatever_is_left_of_a_forged_header_has_survived(headers: list[str]) -> None:
    assert survivor(headers, authserv_id="MX.corp.test", domain="n0nce.invalid") == headers[-1]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [PASSING],
        ["mx.corp.test; none"],
        ["mx.corp.test; spf=none smtp.mailfrom=corp.test; dkim=none"],
        forge("other.test", "n0nce.invalid"),
        ["((( some other filter"],
    ],
)
def test_what_the_server_says_itself_is_no_survivor(headers: list[str]) -> None:
    assert survivor(headers, authserv_id="mx.corp.test", domain="n0nce.invalid") is None


MICROSOFT = (
    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=corp.test; dkim=pass (signature was verified) "
    "header.d=corp.test;dmarc=pass action=none header.from=corp.test;compauth=pass reason=100"
)


def test_the_form_without_a_server_name_counts_only_where_its_word_was_typed() -> None:
    assert judged(MICROSOFT, server="Microsoft365").passed
    assert not judged(MICROSOFT).passed
    assert not judged(MICROSOFT, server="").passed
    assert not judged(
        MICROSOFT.replace("dmarc=pass", "dmarc=fail"), MICROSOFT, server="microsoft365"
    ).passed
    assert not judged(
        "microsoft365; dmarc=pass header.from=corp.test", server="microsoft365"
    ).passed
    assert not judged('""; dmarc=pass header.from=corp.test', server="microsoft365").passed
    assert not judged("dkim=pass (open", MICROSOFT, server="microsoft365").passed


@pytest.mark.parametrize(
    "tail",
    [
        "(" * 8000,
        '"' * 7999,
        "a=b;" * 2000,
        "x.y=" * 2000,
        "a " * 4000,
        "\\" * 8000,
        "a." * 4000,
        " " * 8000 + "x",
        "()" * 4000,
        'a="' + "\\" * 8000,
        "(a" * 9 + "b" * 8000,
        "(" * 100_000,
    ],
)
def test_hostile_headers_prove_nothing(tail: str) -> None:
    for header in (tail, f"mx.corp.test; {tail}", f"mx.corp.test; a=b {tail}"):
        assert not judged(*[header] * 60).passed


@given(st.text(max_size=200))
def test_no_text_makes_the_reader_raise(text: str) -> None:
    assert not judged(text, f"mx.corp.test; {text}").passed
