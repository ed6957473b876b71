"""The conditions in reading what our mail server says about a sender (RFC 8601)."""

from __future__ import annotations

from tests.mutation.mutant import rows

LESS = "test_anything_less_than_a_clear_pass_is_none"
BROKEN = "test_a_header_of_ours_that_breaks_the_grammar_proves_nothing"
PASSES = "test_our_server_vouches_for_the_domain"
CONDITIONS = "tests/mail/test_conditions.py::"

AUTHENTICATE = rows(
    "flexmail/mail/authenticate.py",
    "tests/mail/test_authenticate.py",
    (
        "all header lines end alike",
        "    if ends_differ:",
        "    if False:",
        "tests/services/test_receiving.py::"
        "test_nobody_is_vouched_for_where_the_mail_server_may_have_read_other_headers",
    ),
    (
        "a mail server is named",
        "if not wanted or not domain:",
        "if False or not domain:",
        f"{CONDITIONS}test_without_a_name_or_a_domain_nothing_is_looked_up",
    ),
    (
        "the sender has a domain",
        "if not wanted or not domain:",
        "if not wanted or False:",
        f"{CONDITIONS}test_without_a_name_or_a_domain_nothing_is_looked_up",
    ),
    (
        "the number of headers is bounded",
        "for header in headers[:MAX_HEADERS]:",
        "for header in headers:",
        f"{CONDITIONS}test_a_header_below_the_cap_is_not_read",
    ),
    (
        "a header that cannot be read and may be ours proves nothing",
        "        except Unreadable as error:\n            return Authentication(False, f",
        "        except Unreadable as error:\n"
        "            continue\n"
        "            return Authentication(False, f",
        BROKEN,
    ),
    (
        "the topmost header of our server decides",
        "            return _judge(results, domain)\n",
        "            if _judge(results, domain).passed:\n"
        "                return _judge(results, domain)\n",
        "test_only_the_topmost_header_of_our_server_counts",
    ),
    (
        "a header that cannot be read is ours if it names our server",
        "if wanted in {MICROSOFT_365, *_words(header)}:",
        "if wanted in {MICROSOFT_365}:",
        BROKEN,
    ),
    (
        "of Microsoft's form any header that cannot be read may be ours",
        "if wanted in {MICROSOFT_365, *_words(header)}:",
        "if wanted in {*_words(header)}:",
        "test_the_form_without_a_server_name_counts_only_where_its_word_was_typed",
    ),
    (
        "another server's broken header does no harm",
        "if wanted in {MICROSOFT_365, *_words(header)}:",
        "if True:",
        "test_only_the_topmost_header_of_our_server_counts",
    ),
    (
        "only the header of the configured server counts",
        "return results if server == (None if wanted == MICROSOFT_365 else wanted) else None",
        "return results if True else None",
        "test_another_or_an_empty_server_name_never_matches",
    ),
    (
        "a name is compared whole",
        "return results if server == (None if wanted == MICROSOFT_365 else wanted) else None",
        "return results if wanted in (server or wanted) else None",
        "test_another_or_an_empty_server_name_never_matches",
    ),
    (
        "the form without a name counts only where its word was typed",
        "if server == (None if wanted == MICROSOFT_365 else wanted) else None",
        "if server in (None, wanted) else None",
        "test_the_form_without_a_server_name_counts_only_where_its_word_was_typed",
    ),
    (
        "where Microsoft's word was typed, no name counts",
        "if server == (None if wanted == MICROSOFT_365 else wanted) else None",
        "if server == wanted or (wanted == MICROSOFT_365 and not server) else None",
        "test_the_form_without_a_server_name_counts_only_where_its_word_was_typed",
    ),
    (
        "DMARC results do not contradict each other",
        "if len(said) > 1:",
        "if False:",
        f"{CONDITIONS}test_contradicting_results_are_not_outvoted_by_a_signature",
    ),
    (
        "each DMARC result is about this From domain",
        'if any(result.domain("header.from") not in {None, domain} for result in dmarc):',
        "if False:",
        LESS,
    ),
    (
        "a subdomain's DMARC result is not this domain's",
        'if any(result.domain("header.from") not in {None, domain} for result in dmarc):',
        'if any(not (result.domain("header.from") or "").endswith(domain) for result in dmarc):',
        LESS,
    ),
    (
        "DMARC passed",
        'if said == {"pass"} and all',
        "if said and all",
        LESS,
    ),
    (
        "a DMARC pass names its From domain",
        'and all(result.domain("header.from") for result in dmarc):',
        "and True:",
        LESS,
    ),
    (
        "a DMARC failure is not outvoted by a signature",
        'if not said <= {"pass", "none", "bestguesspass"}:',
        "if False:",
        LESS,
    ),
    (
        "only a DKIM signature is taken for one",
        'if result.method == "dkim" and result.result',
        "if True and result.result",
        f"{CONDITIONS}test_only_a_dkim_pass_is_a_dkim_pass",
    ),
    (
        "the signature passed",
        'and result.result == "pass" and',
        "and True and",
        LESS,
    ),
    (
        "the signature is by the sender's domain",
        "and _speaks_for(signer, domain):",
        "and True:",
        LESS,
    ),
    (
        "a signature names its domain",
        'if not signer or "" in',
        'if signer is None or "" in',
        "",
        "an empty name has an empty label, which the next condition refuses",
    ),
    (
        "a domain has no empty label",
        'or "" in signer.split("."):',
        "or False:",
        f"{CONDITIONS}test_a_domain_with_an_empty_label_speaks_for_nobody",
    ),
    (
        "the sender's own domain may sign",
        'return signer == domain or ("."',
        'return False or ("."',
        PASSES,
    ),
    (
        "a single label is a registry, not an organisation",
        'or ("." in signer and domain',
        "or (True and domain",
        LESS,
    ),
    (
        "a parent signs for its subdomains, and nobody else",
        'and domain.endswith(f".{signer}"))',
        "and True)",
        LESS,
    ),
    (
        "a parent's name ends at a dot",
        'and domain.endswith(f".{signer}"))',
        "and domain.endswith(signer))",
        f"{CONDITIONS}test_half_a_label_is_no_parent",
    ),
)

GRAMMAR_OF_RESULTS = rows(
    "flexmail/mail/auth_results.py",
    "tests/mail/test_authenticate.py",
    (
        "a property stands once",
        'return values[0] if len(values) == 1 else ""',
        "return values[0]",
        LESS,
    ),
    (
        "there are no more results than a server writes",
        "if len(results) > MAX_RESULTS:",
        "if False:",
        BROKEN,
    ),
    (
        "'none' stands alone",
        "and not (not results and _NO_RESULT",
        "and not (True and _NO_RESULT",
        BROKEN,
    ),
    (
        "a result is a method and what it found",
        "if method is None:",
        "if (method := method or re.compile('([^;=]*)([^;]*)').match(text, position)) is None:",
        BROKEN,
    ),
    (
        "a result ends at a semicolon",
        'if text[position : position + 1] not in {"", ";"}:',
        "if False:",
        f"{CONDITIONS}test_a_header_that_bends_the_grammar_proves_nothing",
    ),
    (
        "a header has a size",
        "if len(header) > MAX_LENGTH:",
        "if False:",
        BROKEN,
    ),
    (
        "outside of quotes and comments there is no stray mark",
        "if piece is None:",
        "if (piece := piece or re.compile('.').match(header, position)) is None:",
        f"{CONDITIONS}test_a_header_that_bends_the_grammar_proves_nothing",
    ),
    (
        "comments are left out",
        "        if not depth:\n            out.append",
        "        if piece[0] != ')':\n            out.append",
        LESS,
    ),
    (
        "comments are nested only so deep",
        "if not 0 <= depth <= MAX_COMMENT_DEPTH:",
        "if not 0 <= depth:",
        BROKEN,
    ),
    (
        "no comment closes that was not opened",
        "if not 0 <= depth <= MAX_COMMENT_DEPTH:",
        "if not depth <= MAX_COMMENT_DEPTH:",
        f"{CONDITIONS}test_a_header_that_bends_the_grammar_proves_nothing",
    ),
    (
        "no comment stays open",
        "    if depth:\n        raise Unreadable",
        "    if False:\n        raise Unreadable",
        BROKEN,
    ),
    (
        "what is quoted is one value",
        "if value.startswith('\"') and value.endswith('\"'):",
        "if False:",
        PASSES,
    ),
)
