from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexmail.mail.authenticate import MAX_LENGTH, Authentication, authenticate

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
        "mx.corp.test; dkim=pass header.i=@corp.test",
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
