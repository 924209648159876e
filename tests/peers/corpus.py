"""Writes corpus.jsonl: texts that readers of tables commonly take for a value that is not what was written.

Each case is the one odd cell of an otherwise ordinary column. By rule, without chance: run it again and the file is the
same. `type` is what the ordinary cells plainly are; `text` is the odd cell; `means` is the value a lenient reader would
rightly take it for, canonically written (null: there is none, or more than one); `family` is the rule it comes from.
"""

import json
import pathlib
from fractions import Fraction

CASES = []


def case(family, kind, text, means=None):
    if text == "":
        return  # an empty cell of a CSV file is null by custom: nobody can say that it was changed
    CASES.append({"family": family, "type": kind, "text": text, "means": means})


def decimal_text(value):
    """Writes a number that has a finite decimal form."""
    value = Fraction(value)
    places = 0
    while value.denominator != 1 and places < 400:
        value *= 10
        places += 1
    digits = str(abs(value.numerator)).rjust(places + 1, "0")
    text = digits if places == 0 else f"{digits[:-places]}.{digits[-places:]}"
    return f"-{text}" if value < 0 else text


def number(family, kind, text, value):
    case(family, kind, text, decimal_text(Fraction(value)))


def integers():
    for digits in ("7", "42", "123", "90210", "1000"):
        for zeros in ("0", "00", "0000"):
            for sign in ("", "-", "+"):
                number("leading zeros", "i64", sign + zeros + digits, sign + digits)
    for text in ("1.6", "1.5", "2.5", "0.5", "-1.5", "99.99", "1.0000001", "0.49999999", "1.9999999999999999", "-0.1"):
        number("fraction in an integer column", "i64", text, text)
    for text in ("1.0", "42.00", "-3.0", "100.000"):
        number("empty fraction in an integer column", "i64", text, text)
    for mantissa, exponent in (("1", "3"), ("5", "0"), ("12", "2"), ("1", "18"), ("2", "-1"), ("15", "-1"), ("1", "30"), ("7", "+2")):
        for letter in "eE":
            number("exponent in an integer column", "i64", f"{mantissa}{letter}{exponent}", Fraction(mantissa) * Fraction(10) ** int(exponent))
    for name, mark in (("comma", ","), ("underscore", "_"), ("space", " "), ("apostrophe", "'"), ("no-break space", "\u00a0"), ("thin space", "\u2009"), ("narrow no-break space", "\u202f")):
        for groups in (("1", "000"), ("12", "345"), ("1", "234", "567"), ("-9", "999")):
            number(f"groups by {name}", "i64", mark.join(groups), "".join(groups))
    for text in ("1,00,000", "1,2", "12,34", "0,001"):
        case("odd groups", "i64", text)
    for text in ("9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "99999999999999999999", "170141183460469231731687303715884105728", "1" + "0" * 40):
        number("past 64 bits", "i64", text, text)
    for text in ("9007199254740993", "-9007199254740993", "9007199254740995", "9223372036854775807", "1234567890123456789"):
        number("past 53 bits", "i64", text, text)
    for before, after in (("", " "), (" ", ""), ("\t", ""), ("", "\t"), ("\u00a0", ""), ("", "\u2003"), ("\u3000", ""), ("", "\n"), ("", "\r\n"), ("\u200b", ""), ("\ufeff", "")):
        number("around white space or marks", "i64", f"{before}42{after}", 42)
    for text, value in (("-0", 0), ("+0", 0), ("+5", 5), ("\u22125", -5), ("(5)", -5), ("5-", -5), ("\uff0b5", 5)):
        number("signs", "i64", text, value)
    for text in ("--5", "+-5", "- 5"):
        case("signs", "i64", text)
    for text, value in (("0x1F", 31), ("0X10", 16), ("0b101", 5), ("0o17", 15), ("1Fh", 31), ("#10", 16)):
        number("other bases", "i64", text, value)
    for text in ("\uff11\uff12\uff13", "\u0661\u0662\u0663", "\u096a\u0968", "\u00b2", "\u2168", "\u0664\u0662"):
        case("digits of other scripts", "i64", text)
    for text in ("", "NULL", "null", "NA", "N/A", "#N/A", "nan", "NaN", "None", "<NA>", "n/a", "-", ".", "?", "missing", "inf", "-inf", "nil", "\\N", "-NaN", "1.#IND", "-nan", "#NA"):
        case("words for nothing", "i64", text, text if text in ("inf", "-inf") else None)
    for text in ("true", "false", "five", "1\u00002", "42\u0000", "5%", "$5", "5 EUR", "1/2", "1-2", "12:30", "1.2.3", "5e", "1;2", "42 apples", "0042abc", "١٢٣", "42.", ".42"):
        case("not a number", "i64", text, {"42.": "42", ".42": "0.42"}.get(text))


def floats():
    for text in ("0.1000000000000000055511151231257827", "0.10000000000000001", "3.14159265358979323846", "1.10000000000000008882", "2.7182818284590452353602874", "0.1234567890123456789", "123456789.12345678912345", "1.00000000000000001", "0.30000000000000001", "4.35000000000000000001", "79.99999999999999999"):
        number("more digits than a double", "f64", text, text)
    for text in ("9007199254740993", "18446744073709551617", "123456789012345678", "1234567890123456789012", "99999999999999999999", "9007199254740993.0"):
        number("integers past 53 bits", "f64", text, text)
    for text in ("1e400", "-1e400", "1e309", "1.8e308", "1e99999", "1" + "0" * 330):
        case("past a double", "f64", text)
    for text in ("1e-400", "1e-330", "2e-324", "-1e-500", "4.9e-324", "1.5e-323"):
        case("under a double", "f64", text, text)
    for text, value in (("007.5", "7.5"), ("00.5", "0.5"), ("01", "1"), ("-01.5", "-1.5"), ("000", "0"), ("00012.50", "12.5")):
        number("leading zeros", "f64", text, value)
    for text, value in ((".5", "0.5"), ("5.", "5"), ("-.5", "-0.5"), ("+.25", "0.25"), ("1.e3", "1000"), (".1e1", "1")):
        number("half a number", "f64", text, value)
    for text, value in (("1,5", "1.5"), ("0,5", "0.5"), ("1.234,56", "1234.56"), ("1,234.56", "1234.56"), ("1 234.56", "1234.56"), ("1_000.5", "1000.5"), ("1'000.5", "1000.5"), ("12,345", None), ("1.234.567", "1234567"), ("1\u00a0234.5", "1234.5")):
        number("separators", "f64", text, value) if value else case("separators", "f64", text)
    for text in ("nan", "NAN", "NaN", "-NaN", "inf", "-inf", "INF", "Infinity", "-Infinity", "+inf", "1.#INF", "1.#QNAN", "∞", "-∞", "infinity"):
        case("no numbers", "f64", text, {"NaN": "NaN", "nan": "NaN", "NAN": "NaN", "inf": "inf", "-inf": "-inf", "INF": "inf", "Infinity": "inf", "-Infinity": "-inf", "+inf": "inf", "infinity": "inf"}.get(text))
    for text, value in (("1.5d3", "1500"), ("1.5D3", "1500"), ("1.5f", "1.5"), ("0x1p3", "8"), ("1.5e3 ", "1500"), ("1.5*10^3", "1500"), ("15E+2", "1500"), ("1.50E03", "1500"), ("12.5%", "0.125"), ("$12.50", "12.5"), ("\u22121.5", "-1.5"), ("(1.50)", "-1.5"), ("1/2", "0.5"), ("1½", "1.5")):
        number("notations", "f64", text, value)
    for text in (" 1.5", "1.5 ", "\t1.5", "1.5\n", "\u00a01.5", "\ufeff1.5", "1.5\u200b"):
        number("around white space or marks", "f64", text, "1.5")
    for text in ("", "NULL", "NA", "N/A", "-", ".", "#DIV/0!", "#VALUE!", "1.5\u0000", "true", "１.５", "1..5", "1.5.5", "e5", "1e", "n.d."):
        case("not a number", "f64", text)
    for text, value in (("-0", "0"), ("-0.0", "0"), ("0.10", "0.1"), ("+1.5", "1.5"), ("1e22", "1e22"), ("0.30000000000000004", "0.30000000000000004")):
        number("harmless", "f64", text, Fraction(value))


def decimals():
    for text in ("1.505", "0.001", "12.345", "-1.999", "0.005", "2.675", "1.005", "99999999.999", "0.0000001", "1.500000001"):
        number("more places than the column", "decimal(10,2)", text, text)
    for text in ("100000000", "123456789012.34", "-100000000.00", "99999999999999999999.99", "1" + "0" * 39, "12345678901234567890.12"):
        number("more digits than the column", "decimal(10,2)", text, text)
    for text, value in (("1,234.50", "1234.5"), ("1.234,50", "1234.5"), ("1,50", "1.5"), ("1 234.50", "1234.5"), ("1_234.50", "1234.5"), ("1'234.50", "1234.5"), ("$1.50", "1.5"), ("1.50 EUR", "1.5"), ("€1.50", "1.5"), ("1.50-", "-1.5"), ("(1.50)", "-1.5"), ("1.50CR", "1.5"), ("\u22121.50", "-1.5")):
        number("money", "decimal(10,2)", text, value)
    for text, value in (("1e3", "1000"), ("1.5E2", "150"), ("15e-1", "1.5"), ("1e-2", "0.01"), ("1.5e0", "1.5")):
        number("exponents", "decimal(10,2)", text, value)
    for text, value in (("01.50", "1.5"), ("007", "7"), (".50", "0.5"), ("1.", "1"), ("-0.00", "0"), ("-0", "0"), ("+1.50", "1.5"), ("1.5", "1.5"), ("1.500", "1.5")):
        number("spellings", "decimal(10,2)", text, value)
    for text in ("", "NULL", "NaN", "inf", "n/a", "-", "1.50\u0000", "1.5.0", "٫٥"):
        case("not a number", "decimal(10,2)", text, text if text in ("NaN", "inf") else None)
    for text in (" 1.50", "1.50 ", "\ufeff1.50", "1.50\u00a0"):
        number("around white space or marks", "decimal(10,2)", text, "1.5")


# The year 0 of astronomers is the year 1 before Christ.
BEFORE_CHRIST = {
    "0000-01-01": "0001-01-01 (BC)",
    "-0001-01-01": "0002-01-01 (BC)",
    "-2024-02-01": "2025-02-01 (BC)",
    "0000-01-01 00:00:00": "0001-01-01 (BC)T00:00:00.000000",
    "-0001-01-01 00:00:00": "0002-01-01 (BC)T00:00:00.000000",
}


def dates():
    for text in ("2024-02-01 23:59:59", "2024-02-01T10:00:00", "2024-02-01T00:00:00Z", "2024-02-01 00:00:00", "2024-02-01T23:30:00-05:00", "2024-02-01 12:00", "2024-02-01T10:00:00.999999", "2024-02-01 23:59:59.999999999"):
        case("time of day in a date column", "date32", text, "2024-02-01" if "00:00:00" in text[11:19] else None)
    for day in ("2024-02-30", "2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-10", "2024-01-00", "2024-01-32", "2024-06-31", "2100-02-29", "9999-99-99", "0000-00-00"):
        case("no day of the calendar", "date32", day)
    for text in ("01/02/2024", "1/2/2024", "01.02.2024", "01-02-2024", "31/12/2024", "12/31/2024", "5/5/2024", "13/01/2024", "02/30/2024", "01/02/24", "1-2-24", "24-02-01", "01.02.24", "240201"):
        case("order of day and month", "date32", text)
    for text in ("20240201", "2024/02/01", "2024.02.01", "2024-2-1", "2024-02-1", "2024-2-01", "02024-02-01", "+2024-02-01", "1 Feb 2024", "Feb 1, 2024", "01-Feb-2024", "1-FEB-24", "February 1, 2024", "2024-Feb-01", "Thu Feb 1 2024", "2024-032", "2024-W05-4", "2024 02 01", "2024年02月01日"):
        case("other spellings", "date32", text, None if "24" == text[-2:] and "FEB" in text else "2024-02-01")
    for text in ("0000-01-01", "-0001-01-01", "10000-01-01", "-2024-02-01", "0001-01-01 BC", "99999-12-31"):
        case("years out of range", "date32", text, BEFORE_CHRIST.get(text))
    for text in ("today", "now", "tomorrow", "epoch", "infinity", "-infinity", "NaT", "NULL", "", "N/A", "0", "45323", "1706745600", "1706745600000", "2024", "2024-02", "Feb 2024", "0000-00-00 00:00:00"):
        case("words and counts", "date32", text, "1970-01-01" if text == "epoch" else None)
    for text in (" 2024-02-01", "2024-02-01 ", "2024-02-01\n", "\ufeff2024-02-01", "2024-02-01\u0000", "2024-02-01\u00a0"):
        case("around white space or marks", "date32", text, None if "\u0000" in text else "2024-02-01")
    for text in ("２０２４-02-01", "2024-02-01garbage", "2024-02-01Z", "2024-02-01+02:00", "2024-02-01T", "2024–02–01", "2024-02−01", "2024--02-01", "I024-02-01", "2024-O2-01"):
        case("nearly dates", "date32", text, "2024-02-01" if text in ("2024-02-01Z", "2024-02-01T") else None)


MORNING = "2024-02-01T10:00:00.000000"
SPELT = {
    "2024-02-01 10:00": MORNING,
    "2024-02-01 10": MORNING,
    "2024-02-01": "2024-02-01T00:00:00.000000",
    "2024-02-01T9:00:00": "2024-02-01T09:00:00.000000",
    "2024-02-01 10:00:00 PM": "2024-02-01T22:00:00.000000",
    "2024-02-01 12:00:00 AM": "2024-02-01T00:00:00.000000",
    "2024-02-01 10:00:00,5": "2024-02-01T10:00:00.500000",
    "2024-02-01 24:00:00": "2024-02-02T00:00:00.000000",
    "2024-12-31 24:00:00": "2025-01-01T00:00:00.000000",
}


def timestamps():
    kind = "timestamp(us)"
    for zone in ("Z", "+02:00", "-05:00", "+0200", "+02", " UTC", " GMT", " EST", " CET", " Europe/Berlin", "[Europe/Berlin]", "+05:30", "-00:00", "+14:00", " PST8PDT", "+00:00"):
        is_utc = zone.strip() in ("Z", "UTC", "GMT", "-00:00", "+00:00")
        case("zone in a column without zones", kind, "2024-02-01 10:00:00" + zone, MORNING if is_utc else None)
    for fraction in ("1234567", "123456789", "9999999", "0000001", "0000005", "1234565", "123456789012", "9999995"):
        case("fraction past the unit", kind, f"2024-02-01 10:00:00.{fraction}")
    for text in ("2024-02-01 24:00:00", "2024-02-01 23:59:60", "2016-12-31 23:59:60", "2024-02-01 25:00:00", "2024-02-01 10:60:00", "2024-02-01 10:00:61", "2024-02-30 10:00:00", "2023-02-29 10:00:00", "2024-12-31 24:00:00"):
        case("no time of the clock", kind, text, SPELT.get(text))
    for text in ("01/02/2024 10:00:00", "1/2/2024 10:00:00", "31/12/2024 10:00:00", "12/31/2024 10:00:00", "01.02.2024 10:00:00", "01/02/24 10:00:00"):
        case("order of day and month", kind, text)
    for text in ("2024-02-01 10:00", "2024-02-01 10", "2024-02-01", "2024-02-01T9:00:00", "20240201T100000", "20240201 10:00:00", "2024-2-1 10:00:00", "2024/02/01 10:00:00", "2024-02-01  10:00:00", "2024-02-01 10:00:00 AM", "2024-02-01 10:00:00 PM", "2024-02-01 12:00:00 AM", "2024-02-01 10.00.00", "2024-02-01 10:00:00,5", "2024-02-01 100000", "2024-02-01-10.00.00", "Thu Feb  1 10:00:00 2024", "01/Feb/2024:10:00:00", "1706781600", "1706781600000", "1706781600.5", "45323.4166667", "2024-02-01 10:00:00.", "2024-W05-4T10:00:00", "2024-032T10:00:00"):
        is_count = text[:2] in ("17", "45")
        case("other spellings", kind, text, None if is_count else SPELT.get(text, MORNING))
    for text in ("0000-01-01 00:00:00", "10000-01-01 00:00:00", "-0001-01-01 00:00:00", "99999-01-01 00:00:00", "0000-00-00 00:00:00", "1500-02-29 00:00:00"):
        case("years out of range", kind, text, BEFORE_CHRIST.get(text))
    for text in ("", "NULL", "NaT", "now", "infinity", "epoch", " 2024-02-01 10:00:00", "2024-02-01 10:00:00 ", "\ufeff2024-02-01 10:00:00", "2024-02-01 10:00:00\u0000", "2024-02-01 10:00:00garbage"):
        case("words and marks", kind, text, "2024-02-01T10:00:00.000000" if text.strip(" \ufeff") == "2024-02-01 10:00:00" else "1970-01-01T00:00:00.000000" if text == "epoch" else None)
    for text in ("2024-02-01T10:00:00", "2024-02-01 10:00:00.5", "2024-02-01 10:00:00.1234560", "1969-12-31 23:59:59.999999", "1677-09-21 00:12:43", "2262-04-11 23:47:17", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"):
        clock, _, fraction = text.replace(" ", "T").partition(".")
        case("harmless", kind, text, f"{clock}.{fraction[:6].ljust(6, '0')}")


def zoned_timestamps():
    kind = "timestamp(us,UTC)"
    for text in ("2024-02-01 10:00:00", "2024-02-01T10:00:00", "2024-02-01T10:00:00.5", "2024-03-31T02:30:00"):
        case("no zone in a column of instants", kind, text)
    for text in ("2024-02-01T10:00:00 Europe/Berlin", "2024-02-01T10:00:00 EST", "2024-02-01T10:00:00 IST", "2024-02-01T10:00:00+24:00", "2024-02-01T10:00:00+02:60", "2024-02-01T10:00:00ZZ", "2024-02-01T10:00:00+2", "2024-02-01T10:00:00\u221202:00", "2024-02-01T23:59:60Z", "2024-02-01T24:00:00Z", "2024-02-01T10:00:00.1234567Z", "2024-02-30T10:00:00Z"):
        meant = {"2024-02-01T10:00:00 Europe/Berlin": "09", "2024-02-01T10:00:00 EST": "15", "2024-02-01T10:00:00+2": "08", "2024-02-01T10:00:00\u221202:00": "12", "2024-02-01T10:00:00+02:60": "07"}.get(text)
        next_day = {"2024-02-01T24:00:00Z": "2024-02-02T00:00:00.000000Z", "2024-02-01T10:00:00+24:00": "2024-01-31T10:00:00.000000Z"}
        case("odd zones and clocks", kind, text, next_day.get(text) or meant and f"2024-02-01T{meant}:00:00.000000Z")
    for text in ("2024-02-01T12:00:00+02:00", "2024-02-01T04:30:00-05:30", "2024-02-01T10:00:00z", "2024-02-01 10:00:00+00:00"):
        case("harmless", kind, text, "2024-02-01T10:00:00.000000Z")


def booleans():
    for text in ("TRUE", "True", "False", "FALSE", "tRuE"):
        case("letters", "bool", text, text.lower())
    for text in ("1", "0", "yes", "no", "Y", "N", "t", "f", "T", "F", "on", "off", "-1", "2", "1.0", "wahr", "x", "ja", "", "NULL", "NA", "null", "truee", "maybe", "true\u0000", "0.0"):
        truths = {"1": "true", "0": "false", "on": "true", "off": "false"} | dict.fromkeys(("yes", "Y", "t", "T"), "true") | dict.fromkeys(("no", "N", "f", "F"), "false")
        case("other words", "bool", text, truths.get(text))
    for text in (" true", "true ", "\ttrue", "true\n", "\ufefftrue", "true\u00a0"):
        case("around white space or marks", "bool", text, "true")


def times():
    kind = "time64(us)"
    for text in ("24:00:00", "23:59:60", "25:00:00", "10:60:00", "10:00:60", "10:00:61", "-01:00:00", "99:99:99"):
        case("no time of the clock", kind, text)
    for text in ("10:00:00.1234567", "10:00:00.123456789", "10:00:00.0000001", "23:59:59.9999999", "10:00:00.9999995"):
        case("fraction past the unit", kind, text)
    for text in ("10:00", "9:00:00", "10:00:00 AM", "10:00:00 PM", "12:00:00 AM", "100000", "10.00.00", "10h00", "10:00:00Z", "10:00:00+02:00", "T10:00:00", "10:00:00,5", "10:0:0", "2024-02-01 10:00:00", "0.5", "36000", " 10:00:00", "10:00:00 ", "", "NULL", "noon"):
        meant = {"9:00:00": "09:00:00", "10:00:00 PM": "22:00:00", "12:00:00 AM": "00:00:00", "10:00:00,5": "10:00:00.5"}
        is_clock = text.strip()[:2] in ("10", "T1") and "+" not in text
        meant = meant.get(text, "10:00:00" if is_clock else None)
        case("other spellings", kind, text, meant and f"{meant.partition('.')[0]}.{meant.partition('.')[2].ljust(6, '0')}")


def texts():
    for text in ("0042", "1e5", "TRUE", "NULL", "NA", "null", "nan", "None", " padded ", "\ttab", "trailing ", "", "N/A", "1.0", "2024-02-01", "+5", "-0", "0x1F", "\ufeffmark", "nul\u0000inside", "line\nbreak", "carriage\r\nreturn", "quote\"inside", "'single'", "comma,inside", "e\u0301", "\u202eturned", "\U0001f600", "\uffff", "#N/A", "<NA>", "n/a", "-nan", "\u00a0", "\u200b", "\\N", "\\n", "''"):
        case("texts", "utf8", text, text)


if __name__ == "__main__":
    for rule in (integers, floats, decimals, dates, timestamps, zoned_timestamps, booleans, times, texts):
        rule()
    seen = set()
    lines = []
    for item in CASES:
        key = (item["type"], item["text"])
        if key not in seen:
            seen.add(key)
            lines.append(json.dumps({"id": len(lines) + 1, **item}))
    pathlib.Path(__file__).with_name("corpus.jsonl").write_text("\n".join(lines) + "\n")
    print(len(lines), "cases")
