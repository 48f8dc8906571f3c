//! Times of certificates and OCSP responses (RFC 5280, section 4.1.2.5): seconds since 1970, years 0 to 9999.

use crate::span::TimeText;

use super::der::{GENERALIZED_TIME, Tlv, UTC_TIME};

/// A time that could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time {
    /// Seconds since 1970.
    pub(crate) secs: i64,
    /// It is in the form that DER and RFC 5280 demand: with seconds, and ending in `Z`.
    pub(crate) canonical: bool,
}

/// Reads a UTCTime or GeneralizedTime: `YYMMDDHHMMSSZ`, `YYYYMMDDHHMMSSZ`, and BER's forms without seconds or with an
/// offset from UTC, which old certificates have. `None` for any other text and for times that do not exist.
pub(crate) fn parse(time: &Tlv<'_>) -> Option<Time> {
    parse_text(time.tag, time.content)
}

/// Seconds since 1970 of the text of a time with that tag.
pub(crate) fn read(tag: u8, text: &[u8]) -> Option<i64> {
    parse_text(tag, text).map(|t| t.secs)
}

fn parse_text(tag: u8, content: &[u8]) -> Option<Time> {
    let year_digits = match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    let digits = content.iter().take_while(|b| b.is_ascii_digit()).count();
    let (text, zone) = content.split_at_checked(digits)?;
    let (year, fields) = text.split_at_checked(year_digits)?;
    let year = match (number(year), year_digits) {
        // Two digits stand for 1950 to 2049.
        (y @ 0..50, 2) => y.saturating_add(2000),
        (y, 2) => y.saturating_add(1900),
        (y, _) => y,
    };
    let mut parts = [0i64; 5];
    let pairs = fields.chunks(2);
    let has_seconds = fields.len() == 10;
    if !has_seconds && fields.len() != 8 {
        return None;
    }
    for (part, pair) in parts.iter_mut().zip(pairs) {
        *part = number(pair);
    }
    let [month, day, hour, minute, second] = parts;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let offset = match zone {
        b"Z" => 0,
        [sign @ (b'+' | b'-'), rest @ ..] if rest.len() == 4 && rest.iter().all(u8::is_ascii_digit) => {
            let (h, m) = rest.split_at_checked(2).map(|(h, m)| (number(h), number(m)))?;
            if h > 23 || m > 59 {
                return None;
            }
            let east = h.saturating_mul(3600).saturating_add(m.saturating_mul(60));
            if *sign == b'+' { east } else { east.saturating_neg() }
        }
        _ => return None,
    };
    let days = days_from_civil(year, month, day)?;
    let of_day = hour.saturating_mul(3600).saturating_add(minute.saturating_mul(60)).saturating_add(second);
    let secs = days.saturating_mul(86_400).saturating_add(of_day).saturating_sub(offset);
    Some(Time { secs, canonical: has_seconds && zone == b"Z" })
}

/// [`parse`] for who does not mind the form.
pub(crate) fn seconds(time: &Tlv<'_>) -> Option<i64> {
    read(time.tag, time.content)
}

/// Value of a few decimal digits.
fn number(digits: &[u8]) -> i64 {
    digits.iter().fold(0i64, |v, d| v.saturating_mul(10).saturating_add(i64::from(d.saturating_sub(b'0'))))
}

/// Day counted from 1970-01-01 of a date of the proleptic Gregorian calendar; `None` when there is no such date.
#[allow(clippy::arithmetic_side_effects)]
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) || !(0..=9999).contains(&year) {
        return None;
    }
    // Years begin in March, so that the leap day is the last one. The bounds above keep all of it far from overflow.
    let y = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

/// RFC 3339 text of a time of a certificate (seconds since 1970, UTC): `2026-11-21T12:00:03Z`.
pub fn format_time(secs: i64) -> String {
    // Outside of these a year has no four digits; certificates cannot say such a time.
    let secs = secs.clamp(-62_167_219_200, 253_402_300_799);
    TimeText::new(secs, None).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::span::civil_from_days;
    use crate::x509::der::{Der, tlv};

    fn utc(s: &str) -> Option<i64> {
        seconds(&Der::new(&tlv(UTC_TIME, &[s.as_bytes()])).next("t").unwrap())
    }

    fn general(s: &str) -> Option<i64> {
        seconds(&Der::new(&tlv(GENERALIZED_TIME, &[s.as_bytes()])).next("t").unwrap())
    }

    #[test]
    fn both_forms() {
        // `date -u -d '...' +%s` is the second source of these.
        assert_eq!(utc("700101000000Z"), Some(0));
        assert_eq!(utc("491231235959Z"), Some(2_524_607_999));
        assert_eq!(utc("500101000000Z"), Some(-631_152_000));
        assert_eq!(utc("000229120000Z"), Some(951_825_600));
        assert_eq!(general("20231114221320Z"), Some(1_700_000_000));
        assert_eq!(general("99991231235959Z"), Some(253_402_300_799));
        assert_eq!(general("00000101000000Z"), Some(-62_167_219_200));
        assert_eq!(general("19000301000000Z"), Some(-2_203_891_200));
    }

    #[test]
    fn forms_that_der_forbids() {
        // `date -u -d '2025-01-15 12:00 +0530' +%s` and the like.
        assert_eq!(utc("250115120000+0530"), Some(1_736_922_600));
        assert_eq!(general("20260115120000-0800"), Some(1_768_507_200));
        assert_eq!(utc("7001010001Z"), Some(60));
        let form = |tag, s: &str| parse(&Der::new(&tlv(tag, &[s.as_bytes()])).next("t").unwrap()).unwrap().canonical;
        assert!(form(UTC_TIME, "700101000000Z"));
        assert!(!form(UTC_TIME, "7001010000Z"));
        assert!(!form(GENERALIZED_TIME, "20260115120000+0000"));
    }

    #[test]
    fn what_is_no_time_is_none() {
        for s in [
            "",
            "Z",
            "70010100Z",
            "70010100000Z",
            "700101000000",
            "700101000000+2500",
            "700101000000+01",
            "701301000000Z",
            "700001000000Z",
            "700132000000Z",
            "700100000000Z",
            "700229000000Z",
            "700101240000Z",
            "700101006000Z",
            "700101000060Z",
            "70010100000aZ",
            "20231114221320Z",
            "700101000000ZZ",
        ] {
            assert_eq!(utc(s), None, "{s}");
        }
        for s in ["19000229000000Z", "20231114221320.5Z", "231114221320Z", "20231131000000Z", "2023111422132\u{e9}Z"] {
            assert_eq!(general(s), None, "{s}");
        }
    }

    #[test]
    fn every_day_there_and_back() {
        for day in -719_528..=2_932_896i64 {
            let (y, m, d) = civil_from_days(day);
            assert_eq!(days_from_civil(y, m, d), Some(day));
        }
        assert_eq!(format_time(253_402_300_799), "9999-12-31T23:59:59Z");
        assert_eq!(format_time(i64::MIN), "0000-01-01T00:00:00Z");
        assert_eq!(format_time(1_700_000_000), "2023-11-14T22:13:20Z");
    }
}
