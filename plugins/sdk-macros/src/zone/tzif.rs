//! Reads a time zone file (RFC 8536, version 2 and later) as far as offsets are concerned: the
//! changes in 64 bits, and the rule in the footer that holds after the last of them.

/// What a file says of offsets.
pub(super) struct Tzif {
    /// The offset before the first change.
    pub(super) first: i32,
    /// From when, in seconds since 1970, and the new offset.
    pub(super) changes: Vec<(i64, i32)>,
    /// What holds after the last change, where it goes on changing.
    pub(super) rule: Option<Rule>,
    /// The offset after the last change, where it does not.
    pub(super) end: Option<i32>,
}

/// Standard and summer time, year after year.
#[derive(Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) standard: Begins,
    pub(super) summer: Begins,
}

/// When one of the two begins, on the clock of the other.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Begins {
    pub(super) offset: i32,
    pub(super) month: u8,
    pub(super) week: u8,
    pub(super) weekday: u8,
    pub(super) time: i32,
}

/// Length of the header, the same in both parts.
const HEADER: usize = 44;

impl Tzif {
    /// None for what is no such file, or says what no zone has said so far.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        // The first part is in 32 bits, for readers of version 1.
        let [isut, isstd, leaps, times, types, chars] = counts(bytes)?;
        let first_part = times * 5 + types * 6 + chars + leaps * 8 + isstd + isut;
        let bytes = bytes.get(HEADER + first_part..)?;
        let [isut, isstd, leaps, times, types, chars] = counts(bytes)?;
        let (when, rest) = bytes.get(HEADER..)?.split_at_checked(times * 8)?;
        let (which, rest) = rest.split_at_checked(times)?;
        let (kinds, rest) = rest.split_at_checked(types * 6)?;
        let footer = rest.get(chars + leaps * 12 + isstd + isut..)?;
        let offset = |kind: u8| {
            let at = usize::from(kind) * 6;
            Some(i32::from_be_bytes(kinds.get(at..at + 4)?.try_into().ok()?))
        };
        let changes = when
            .chunks(8)
            .zip(which)
            .map(|(when, &kind)| Some((i64::from_be_bytes(when.try_into().ok()?), offset(kind)?)));
        let footer = std::str::from_utf8(footer).ok()?.trim_matches('\n');
        let (rule, end) = posix(footer)?;
        Some(Self { first: offset(0)?, changes: changes.collect::<Option<_>>()?, rule, end })
    }
}

fn counts(header: &[u8]) -> Option<[usize; 6]> {
    if !header.starts_with(b"TZif") {
        return None;
    }
    let mut counts = [0; 6];
    for (count, bytes) in counts.iter_mut().zip(header.get(20..HEADER)?.chunks(4)) {
        *count = u32::from_be_bytes(bytes.try_into().ok()?) as usize;
    }
    Some(counts)
}

/// The footer: `CET-1CEST,M3.5.0,M10.5.0/3`. Either a rule, or one offset for ever.
fn posix(text: &str) -> Option<(Option<Rule>, Option<i32>)> {
    let mut rest = text;
    name(&mut rest)?;
    // POSIX counts west of Greenwich.
    let standard = -time(&mut rest)?;
    if rest.is_empty() {
        return Some((None, Some(standard)));
    }
    name(&mut rest)?;
    let summer = match rest.starts_with(',') {
        true => standard + 3600,
        false => -time(&mut rest)?,
    };
    let mut parts = rest.strip_prefix(',')?.split(',');
    let summer = Begins { offset: summer, ..begins(parts.next()?)? };
    let standard = Begins { offset: standard, ..begins(parts.next()?)? };
    parts.next().is_none().then_some((Some(Rule { standard, summer }), None))
}

/// `CET`, or `<+03>`.
fn name(rest: &mut &str) -> Option<()> {
    let end = match rest.starts_with('<') {
        true => rest.find('>')? + 1,
        false => rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len()),
    };
    *rest = rest.get(end..)?;
    (end > 0).then_some(())
}

/// `-1`, `5:30`, `26`: hours, minutes, seconds, as seconds.
fn time(rest: &mut &str) -> Option<i32> {
    let end = rest.find(|c: char| !c.is_ascii_digit() && !"+-:".contains(c)).unwrap_or(rest.len());
    let (text, behind) = rest.split_at(end);
    *rest = behind;
    let digits = text.trim_start_matches(['+', '-']);
    let mut seconds = 0;
    let mut unit = 3600;
    for part in digits.split(':') {
        seconds += part.parse::<i32>().ok()? * unit;
        unit /= 60;
    }
    Some(if text.starts_with('-') { -seconds } else { seconds })
}

/// `M10.5.0/3`: the last Sunday of October, at 3; at 2 where it is not said.
fn begins(text: &str) -> Option<Begins> {
    let (day, at) = text.split_once('/').unwrap_or((text, "2"));
    let mut numbers = day.strip_prefix('M')?.split('.').map(|number| number.parse().ok());
    let (month, week, weekday) = (numbers.next()??, numbers.next()??, numbers.next()??);
    Some(Begins { offset: 0, month, week, weekday, time: time(&mut &*at)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn footers_are_read() {
        let begins =
            |offset, month, week, weekday, time| Begins { offset, month, week, weekday, time };
        let rule = |standard, summer| Some((Some(Rule { standard, summer }), None));
        assert_eq!(
            posix("CET-1CEST,M3.5.0,M10.5.0/3"),
            rule(begins(3600, 10, 5, 0, 10_800), begins(7200, 3, 5, 0, 7200))
        );
        assert_eq!(
            posix("<-02>2<-01>,M3.5.0/-1,M10.5.0/0"),
            rule(begins(-7200, 10, 5, 0, 0), begins(-3600, 3, 5, 0, -3600))
        );
        assert_eq!(posix("<+0545>-5:45"), Some((None, Some(20_700))));
        for bad in ["", "CET", "CET-1CEST", "CET-1CEST,J60,J300", "CET-1CEST,M3.5.0"] {
            assert_eq!(posix(bad), None, "{bad}");
        }
    }
}
