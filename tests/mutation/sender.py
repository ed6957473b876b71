"""The conditions in reading who sent a mail and what it answers: From, and the reference."""

from __future__ import annotations

from tests.mutation.mutant import rows

NOBODY_ELSE = "test_where_any_reader_could_see_someone_else_there_is_no_author"
ONE_PLAIN = "test_one_plain_author_is_found"
REFUSED = "test_anything_but_one_safe_address_is_refused_with_a_sentence"
CONDITIONS = "tests/mail/test_conditions.py::"

ADDRESS = rows(
    "flexmail/mail/address.py",
    "tests/mail/test_address.py",
    (
        "there is one From line, not two",
        "if len(from_values) != 1 or",
        "if len(from_values) < 1 or",
        NOBODY_ELSE,
    ),
    (
        "there is a From line at all",
        "if len(from_values) != 1 or",
        "if len(from_values) > 1 or",
        NOBODY_ELSE,
    ),
    (
        "the From line is no longer than a line of mail may be",
        "or len(from_values[0]) > MAX_LINE:",
        "or False:",
        f"{CONDITIONS}test_a_from_line_longer_than_a_line_of_mail_names_nobody",
    ),
    (
        "the address is plain ASCII",
        "return _mailbox(name, addr_spec) if addr_spec.isascii() else None",
        "return _mailbox(name, addr_spec) if True else None",
        NOBODY_ELSE,
    ),
    (
        "what breaks the grammar names nobody",
        "    except ValueError:\n        return None\n",
        "    except ValueError:\n        return Mailbox('', from_values[0])\n",
        NOBODY_ELSE,
    ),
    (
        "no control stands in the From line as it is read",
        "    if not is_safe_header(text):\n"
        '        raise ValueError("An address must not hold line breaks or control characters.")\n'
        "    match =",
        "    if False:\n"
        '        raise ValueError("An address must not hold line breaks or control characters.")\n'
        "    match =",
        f"{CONDITIONS}test_a_control_is_not_read_as_a_space",
    ),
    (
        "the line is a name and one address, and nothing after it",
        "match = _ADDRESS.fullmatch(",
        "match = _ADDRESS.match(",
        NOBODY_ELSE,
    ),
    (
        "what is no name and one address is refused",
        "if match is None:",
        "if (match := match or _ADDRESS.match(text)) is None:",
        NOBODY_ELSE,
    ),
    (
        "no second address stands in brackets before the address",
        'r"(?P<name>[^<>]*)<',
        'r"(?P<name>.*)<',
        f"{CONDITIONS}test_the_pattern_of_an_address_has_no_room_for_two",
    ),
    (
        "the address holds no brackets and no space",
        r"<(?P<angle>[^<>\s]*)>|",
        r"<(?P<angle>[^>]*)>|",
        f"{CONDITIONS}test_the_pattern_of_an_address_has_no_room_for_two",
    ),
    (
        "an address without brackets holds no space",
        r'|(?P<bare>[^<>\s]*)")',
        r'|(?P<bare>[^<>]*)")',
        f"{CONDITIONS}test_the_pattern_of_an_address_has_no_room_for_two",
    ),
    (
        "a name with specials stands in quotes",
        "if piece is None:",
        "if (piece := piece or re.compile('(?P<quoted>$.)?.').match(text, position)) is None:",
        NOBODY_ELSE,
    ),
    (
        "a comment in a name holds no address",
        r"""\([^()<>@"\\,;:]*\)""",
        r"""\([^()]*\)""",
        f"{CONDITIONS}test_a_name_has_no_room_for_anything_but_words",
    ),
    (
        "a word of a name holds no special",
        r"""| [^\s()<>@,;:\\"\[\]]+""",
        r"""| [^\s()"]+""",
        f"{CONDITIONS}test_a_name_has_no_room_for_anything_but_words",
    ),
    (
        "a decoded name holds no control",
        "if not is_safe_header(name) or len",
        "if False or len",
        NOBODY_ELSE,
    ),
    (
        "a name is no longer than people read",
        "or len(name) > MAX_DISPLAY_NAME:",
        "or False:",
        REFUSED,
    ),
    (
        "a name that shows an address shows this one",
        'if "@" in shown and shown.lower() != mailbox.addr_spec.lower():',
        'if "@" in shown and False:',
        NOBODY_ELSE,
    ),
    (
        "a name need not be an address",
        'if "@" in shown and shown',
        "if True and shown",
        ONE_PLAIN,
    ),
    (
        "a name that looks like an address is one too",
        'shown = unicodedata.normalize("NFKC", name).strip',
        "shown = name.strip",
        NOBODY_ELSE,
    ),
    (
        "an encoded name is read before it is looked at",
        'return decode_words(_phrase(match["name"])).strip(), match',
        'return _phrase(match["name"]).strip(), match',
        NOBODY_ELSE,
    ),
    (
        "no control stands in an address",
        "    if not is_safe_header(addr_spec):\n",
        "    if False:\n",
        "",
        "email-validator refuses controls too, in words of its own",
    ),
    (
        "an address is no longer than SMTP takes",
        "if len(addr_spec) > MAX_ADDRESS:",
        "if False:",
        f"{CONDITIONS}test_an_address_is_measured_before_it_is_read",
    ),
    (
        "line breaks and controls are unsafe",
        r'_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")',
        r'_CONTROL = re.compile(r"[\x00-\x09\x7f-\x9f\u2028\u2029\ud800-\udfff]")',
        "test_line_breaks_and_controls_are_not_safe_in_a_header",
    ),
    (
        "the separators of Unicode are unsafe",
        r"\x7f-\x9f\u2028\u2029\ud800-\udfff]",
        r"\x7f-\x9f\ud800-\udfff]",
        "test_line_breaks_and_controls_are_not_safe_in_a_header",
    ),
    (
        "half a character is unsafe",
        r"\u2028\u2029\ud800-\udfff]",
        r"\u2028\u2029]",
        f"{CONDITIONS}test_half_a_character_is_not_safe_in_a_header",
    ),
)

NO_REFERENCE = "test_what_only_resembles_a_reference_is_none"

ADDR_SPEC = rows(
    "flexmail/mail/addr_spec.py",
    "tests/mail/test_address.py",
    (
        "an address follows the grammar of addresses",
        "    except EmailNotValidError as error:\n        raise ValueError(str(error)) from None\n",
        "    except EmailNotValidError as error:\n        return addr_spec\n",
        "test_what_is_no_address_does_not_normalise",
    ),
    (
        "addresses compare with the domain in lower case",
        "valid.ascii_domain.lower()",
        "addr_spec.rpartition('@')[2]",
        "test_only_the_domain_is_lowered_and_written_in_a_labels",
    ),
    (
        "addresses compare by the local part to the letter",
        'return f"{valid.local_part}@',
        'return f"{valid.local_part.lower()}@',
        "test_only_the_domain_is_lowered_and_written_in_a_labels",
    ),
)

REFERENCE = rows(
    "flexmail/mail/reference.py",
    "tests/mail/test_reference.py",
    (
        "a reference starts where a word starts",
        "FM-(?:(?<![A-Za-z0-9]FM-)|(?<=%[0-9A-Fa-f]{2}FM-))",
        "FM-",
        NO_REFERENCE,
    ),
    (
        "a reference ends where a word ends",
        'rf"[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}(?![A-Za-z0-9])")',
        'rf"[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}")',
        NO_REFERENCE,
    ),
    (
        "a reference is compared in the case it was made in",
        'rf"[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}(?![A-Za-z0-9])")',
        'rf"[A-Za-z2-7]{{{LENGTH},{MAX_LENGTH}}}(?![A-Za-z0-9])")',
        NO_REFERENCE,
    ),
    (
        "a reference has all its characters",
        'rf"[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}(?![A-Za-z0-9])")',
        'rf"[A-Z2-7]{{1,{MAX_LENGTH}}}(?![A-Za-z0-9])")',
        NO_REFERENCE,
    ),
    (
        "a longer reference is another one",
        'rf"[A-Z2-7]{{{LENGTH},{MAX_LENGTH}}}(?![A-Za-z0-9])")',
        'rf"[A-Z2-7]{{{LENGTH}}}")',
        f"{CONDITIONS}test_a_word_in_the_form_of_a_reference_is_taken_whole_or_not_at_all",
    ),
    (
        "a broken reference ends where a word ends",
        "{{1,{LENGTH}}}){{1,2}}(?![A-Za-z0-9])",
        "{{1,{LENGTH}}}){{1,2}}",
        f"{CONDITIONS}test_a_broken_reference_ends_where_a_word_ends",
    ),
    (
        "a reference is broken twice at most",
        "{{1,{LENGTH}}}){{1,2}}(?![A-Za-z0-9])",
        "{{1,{LENGTH}}}){{1,9}}(?![A-Za-z0-9])",
        f"{CONDITIONS}test_a_reference_is_broken_twice_at_most",
    ),
    (
        "the pieces of a broken reference are of the length that is made",
        "if len(word) == LENGTH)",
        "if len(word) >= LENGTH)",
        NO_REFERENCE,
    ),
)

PARSE = rows(
    "flexmail/mail/parse.py",
    "tests/mail/test_parse.py",
    (
        "a mail has headers",
        "if not message.keys():",
        "if False:",
        "test_a_malformed_mail_says_why",
    ),
    (
        "every reader sees the same headers",
        "elif has_bare_cr(head):",
        "elif False:",
        "test_a_carriage_return_alone_among_the_headers_makes_a_mail_malformed",
    ),
    (
        "all that stands among the headers is one",
        "elif any(isinstance(defect, _AMBIGUOUS) for defect in message.defects):",
        "elif False:",
        "test_a_malformed_mail_says_why",
    ),
    (
        "a mail with a problem has no text",
        "texts = Bodies() if problem else bodies",
        "texts = Bodies() if False else bodies",
        f"{CONDITIONS}test_a_mail_with_a_problem_has_no_text",
    ),
    (
        "a mail over a cap has a problem",
        "return _facts(read(head), problem=str(error), cut=cut, rest=rest)",
        'return _facts(read(head), problem="", cut=cut, rest=rest)',
        "test_mail_over_a_cap_still_shows_who_and_what",
    ),
)

BOUNDED = rows(
    "flexmail/mail/bounded.py",
    "tests/mail/test_parse.py",
    (
        "the headers have a size",
        "if len(raw) > MAX_HEADER_BYTES:",
        "if False:",
        "test_a_malformed_mail_says_why",
    ),
)

PART = rows(
    "flexmail/mail/part.py",
    "tests/mail/test_parse.py",
    (
        "who wrote a mail is not read from half a line",
        'text = value if name.lower() == "from" else value[:cap]',
        "text = value[:cap]",
        f"{CONDITIONS}test_who_wrote_a_mail_is_not_read_from_half_a_line",
    ),
    (
        "parts inside parts count as well",
        "payload.depth, payload._count = self.depth + 1, self._count",
        "payload.depth = self.depth + 1",
        "test_a_malformed_mail_says_why",
    ),
)
