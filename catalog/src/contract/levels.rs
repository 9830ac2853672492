//! Service levels of a contract: how often the data is brought up to date, and how old its newest row may be.

use super::reader::{Choices, Object, Reader, get, join};
use super::{FREQUENCY, LATENCY};
use crate::{Frequency, Latency, TimeUnit};

const LEVEL: &[&str] = &[
    "id",
    "property",
    "value",
    "valueExt",
    "unit",
    "element",
    "driver",
    "description",
    "scheduler",
    "schedule",
];
const UNIT: &Choices<TimeUnit> = &[
    ("hour", TimeUnit::Hour),
    ("day", TimeUnit::Day),
    ("week", TimeUnit::Week),
    ("month", TimeUnit::Month),
    ("year", TimeUnit::Year),
    ("hours", TimeUnit::Hour),
    ("days", TimeUnit::Day),
    ("weeks", TimeUnit::Week),
    ("months", TimeUnit::Month),
    ("years", TimeUnit::Year),
    ("h", TimeUnit::Hour),
    ("d", TimeUnit::Day),
    ("w", TimeUnit::Week),
    ("mo", TimeUnit::Month),
    ("y", TimeUnit::Year),
];

/// How often, and how old the newest row may be; other service levels are passed over.
pub(super) fn levels(reader: &mut Reader, root: &Object) -> (Option<Frequency>, Option<Latency>) {
    let (mut often, mut latency) = (None, None);
    for level in reader.items(get(root, "slaProperties", "")) {
        let Some(map) = reader.object(&level, LEVEL) else { continue };
        let path = &level.path;
        let name = reader.needed(get(map, "property", path), &join(path, "property"));
        match (reader.text(name).as_deref(), get(map, "element", path)) {
            (Some(FREQUENCY), _) => {
                let read = span(reader, map, path);
                once(reader, path, &mut often, read);
            }
            // Without a column nothing can be measured; it is then a promise between people.
            (Some(LATENCY), Some(element)) => {
                let column = reader.text(Some(element));
                let column =
                    column.map(|name| name.rsplit_once('.').map_or(name.clone(), |(_, c)| c.to_owned()));
                let read =
                    span(reader, map, path).zip(column).map(|(within, column)| Latency { column, within });
                once(reader, path, &mut latency, read);
            }
            _ => {}
        }
    }
    (often, latency)
}

fn once<T>(reader: &mut Reader, path: &str, kept: &mut Option<T>, read: Option<T>) {
    match (kept.is_some(), read) {
        (true, Some(_)) => reader.add(path, "this service level is there twice; remove one"),
        (_, None) => {}
        (false, read) => *kept = read,
    }
}

fn span(reader: &mut Reader, map: &Object, path: &str) -> Option<Frequency> {
    let mut need = |key: &str| reader.needed(get(map, key, path), &join(path, key));
    let (value, unit) = (need("value"), need("unit"));
    let every = reader.number(value).map(u32::try_from);
    let unit = reader.choice(unit, UNIT);
    match (every, unit) {
        (Some(Ok(every)), Some(unit)) => Some(Frequency { every, unit }),
        (Some(Err(_)), _) => {
            reader.add(path, "the number is too large");
            None
        }
        _ => None,
    }
}
